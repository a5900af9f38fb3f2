"""What a page says: sections of facts, tables and pictures, as data. `render` makes HTML of it.

Every text may come from anywhere (a file's name, an error): nothing here is markup, and the template escapes all of it.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

Tone = Literal["good", "bad", "warn", "muted", "plain"]
"""How a text is coloured. A word always says the same, for whoever prints it or sees no colours."""


@dataclass(frozen=True)
class Text:
    """Words with a tone; `code` for names and ids."""

    words: str
    tone: Tone = "plain"
    code: bool = False
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Link:
    """Words that lead somewhere. An address that is not HTTP is shown, not linked."""

    words: str
    url: str
    kind: ClassVar[str] = "link"


@dataclass(frozen=True)
class Bar:
    """A number as a bar: `share` of the longest one, 0 to 1, and the words beside it."""

    share: float
    words: str
    tone: Tone = "plain"
    kind: ClassVar[str] = "bar"


@dataclass(frozen=True)
class Spread:
    """Two histograms over the same bins, side by side; shares from 0 to 1."""

    bins: tuple[str, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]
    tone: Tone = "plain"
    kind: ClassVar[str] = "spread"


Cell = str | Text | Link | Bar | Spread


@dataclass(frozen=True)
class Table:
    """Rows under a head. `fold`: shown closed, under these words."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    fold: str = ""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line."""

    pairs: tuple[tuple[str, Cell], ...]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Parts:
    """A whole and what it is made of, as one bar: (name, count, tone). Parts of nothing are left out of the bar."""

    parts: tuple[tuple[str, int, Tone], ...]
    kind: ClassVar[str] = "parts"

    @property
    def whole(self) -> int:
        return sum(count for _, count, _ in self.parts)


@dataclass(frozen=True)
class Curve:
    """A line between (0, 0) and (1, 1): `diagonal` is drawn for comparison, `dots` mark points."""

    title: str
    across: str
    up: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    diagonal: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Curves:
    """Pictures beside each other."""

    curves: tuple[Curve, ...]
    kind: ClassVar[str] = "curves"


@dataclass(frozen=True)
class Words:
    """A paragraph. Line breaks are kept if it is `code`."""

    words: str
    tone: Tone = "plain"
    code: bool = False
    kind: ClassVar[str] = "words"


Block = Table | Facts | Parts | Curves | Words


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Stat:
    """A number that is seen first."""

    name: str
    value: str
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Page:
    """The page of one run. `outcome` is one word, `verdict` the sentence that a person reads first."""

    title: str
    subtitle: str
    outcome: str
    tone: Tone
    verdict: str
    facts: tuple[tuple[str, Cell], ...] = ()
    stats: tuple[Stat, ...] = ()
    sections: tuple[Section, ...] = field(default=())
