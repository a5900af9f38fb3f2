"""The one error of Millrace: it names the problem, the place, what was found, what was expected and what to do next."""

from difflib import get_close_matches


class MillraceError(Exception):
    """An error that a person can act on.

    Args:
        problem: What went wrong, one sentence without a full stop.
        place: Where: a file and line, a table, a task, a URL.
        found: What was there.
        expected: What would have been right.
        fix: What to do next.
    """

    def __init__(self, problem: str, *, place: str, found: str, expected: str, fix: str) -> None:
        self.problem, self.place, self.found, self.expected, self.fix = problem, place, found, expected, fix
        super().__init__(problem)

    def __reduce__(self) -> tuple[object, ...]:
        # Ray and Airflow carry errors between processes; the default would lose the keyword arguments.
        fields = {"place": self.place, "found": self.found, "expected": self.expected, "fix": self.fix}
        return _rebuild, (type(self), self.problem, fields)

    def __str__(self) -> str:
        return (
            f"{self.problem}\n"
            f"  where:    {self.place}\n"
            f"  found:    {self.found}\n"
            f"  expected: {self.expected}\n"
            f"  to do:    {self.fix}"
        )


class VerdictError(MillraceError):
    """A check, gate or smoke test said no: a verdict, not a fault, so trying again cannot help."""


class LostRaceError(MillraceError):
    """Another attempt published first; the caller starts over from the new state."""


def _rebuild(kind: type[MillraceError], problem: str, fields: dict[str, str]) -> MillraceError:
    return kind(problem, **fields)


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint such as `did you mean "owner"?`, or the list of what is known."""
    folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{folded[close[0]]}"?'
    return "known: " + ", ".join(sorted(known))
