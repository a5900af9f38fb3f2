"""Whether many texts match a pattern: all of them in one go, as a file has a million."""

import re
from collections.abc import Sequence


class Pattern:
    """A regular expression for a whole text, and the same for many texts, one a line."""

    def __init__(self, pattern: str) -> None:
        self._one = re.compile(pattern, re.ASCII)
        # Possessive: a text that matched is never tried again in another way.
        self._lines = re.compile(rf"(?:(?:{pattern})\n)*+", re.ASCII)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._one.fullmatch(text) is not None

    def matches_all(self, texts: Sequence[str]) -> bool:
        """Whether each of the texts matches."""
        lines = "\n".join([*texts, ""])
        if lines.count("\n") != len(texts):
            return all(map(self.matches, texts))  # a text of two lines is no two texts
        return self._lines.fullmatch(lines) is not None
