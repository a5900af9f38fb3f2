"""The error of a system that does not answer, or not us."""

from millrace.contract.errors import MillraceError


def unreachable(system: str, place: str, error: Exception) -> MillraceError:
    """An error that says which system, where, what it said last, and how to look.

    Args:
        place: An address without a secret in it.
    """
    lines = str(error).strip().splitlines()
    return MillraceError(
        f"{system} cannot be reached",
        place=place,
        found=lines[0] if lines else type(error).__name__,
        expected="an answer, with the names and passwords of the env file",
        fix="`make status` shows what runs, `make up` starts it",
    )
