"""Step: prove the package of a version before a rollback to it, fast: it has led before, so its latency is known."""

from millrace.adapters import champions, package_store
from millrace.adapters.package_store import StoreAwayError
from millrace.contract.errors import MillraceError, VerdictError
from millrace.domain.verification import verified_package
from millrace.steps.verify_package import verify_package


def prove_again(problem: str, version: int) -> str | None:
    """Check hashes and golden rows of a version that has led before; of any other all that `verify_package` checks.

    Returns:
        None if it holds; in words what could not be checked, if the store is away: the replicas then take it from their
        own disks or not at all, and check it as always.

    Raises:
        VerdictError: If the package does not hold.
        MillraceError: If there is none, or it could not be checked and never led.
    """
    if not champions.has_led(problem, version):
        verify_package(problem, version)
        return None
    registered = champions.registration(problem, version)
    try:
        files = package_store.get(registered["uri"])
    except StoreAwayError as error:
        return f"the package of version {version} in the store: {error.found}. Each replica checks what it loads"
    try:
        verified_package(files, registered["content_hash"])
    except MillraceError as error:
        raise VerdictError(
            f"Version {version} of {problem} does not hold: {error.problem}",
            place=f"{registered['uri']}{error.place}",
            found=error.found,
            expected=error.expected,
            fix="put the package back from a backup, or name another version with `--to-version`",
        ) from error
    return None
