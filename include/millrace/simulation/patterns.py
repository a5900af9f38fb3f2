"""Texts that match a pattern, numbered: the n-th text of a pattern differs from every other."""

import re
from math import prod

from millrace.contract.errors import MillraceError

_CLASSES = {
    r"\d": "0123456789",
    r"\w": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
    ".": "abcdefghijklmnopqrstuvwxyz",
}
_PIECE = re.compile(
    r"""
    (?P<set> \[ (?:\\.|[^\]\\^])+ \] | \\[dw] | \. | \\[^a-zA-Z0-9] | [^\\\[\](){}|?*+^$.] )
    (?P<times> \{\d+(?:,\d*)?\} | [?*+] )?
    """,
    re.VERBOSE,
)


class Pattern:
    """A pattern of literals, classes (`[A-Z0-9]`, `\\d`, `\\w`, `.`) and repeats (`{n}`, `{n,m}`, `?`, `*`, `+`).

    Raises:
        MillraceError: If the pattern holds anything else, such as a group; it names the column.
    """

    def __init__(self, pattern: str, column: str) -> None:
        self._column, self._pattern = column, pattern
        self._positions: list[str] = []
        at = 0
        while at < len(pattern):
            piece = _PIECE.match(pattern, at)
            if piece is None:
                raise self._unsupported(pattern[at:])
            self._positions += [self._alphabet(piece["set"])] * _repeats(piece["times"])
            at = piece.end()
        self.capacity = prod(len(alphabet) for alphabet in self._positions)

    def text(self, number: int) -> str:
        """The text of a number from 0 to capacity - 1."""
        if not 0 <= number < self.capacity:
            raise MillraceError(
                "The pattern of a key has too few texts for so many rows",
                place=f"column {self._column}, pattern {self._pattern}",
                found=f"row {number}",
                expected=f"a row below {self.capacity}",
                fix="simulate with a lower first row, or widen the pattern",
            )
        letters = []
        for alphabet in reversed(self._positions):
            number, place = divmod(number, len(alphabet))
            letters.append(alphabet[place])
        return "".join(reversed(letters))

    def _alphabet(self, piece: str) -> str:
        if piece in _CLASSES:
            return _CLASSES[piece]
        if not piece.startswith("["):
            return piece[-1]
        inner = re.findall(r"\\[dw]|(?:\\?.)-(?:\\?.)|\\?.", piece[1:-1])
        letters = "".join(self._members(member) for member in inner)
        return "".join(dict.fromkeys(letters))

    def _members(self, member: str) -> str:
        if member in _CLASSES and member != ".":
            return _CLASSES[member]
        ends = re.fullmatch(r"\\?(.)-\\?(.)", member)
        if ends is None:
            return member[-1]
        return "".join(chr(code) for code in range(ord(ends[1]), ord(ends[2]) + 1))

    def _unsupported(self, rest: str) -> MillraceError:
        return MillraceError(
            "The simulator cannot make texts of this pattern",
            place=f"column {self._column}, pattern {self._pattern}",
            found=rest,
            expected="literals, classes and repeats: no groups, alternatives or anchors",
            fix="land a file of your own, or write the pattern without them",
        )


def _repeats(times: str | None) -> int:
    if times is None or times in "?*+":
        return 1
    return int(times.strip("{}").split(",")[0])
