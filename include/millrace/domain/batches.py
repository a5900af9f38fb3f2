"""What a check judges at once: a span of bronze, its files, and which of them break the limit of their own."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FILES_TOLD = 100
"""A commit's summary is read with every look at the table, so a receipt names this many files at most."""
SMALL_FILE_ROWS = 20
"""Below this many rows one broken row may be more than the limit; such files of a batch are judged together."""


@dataclass(frozen=True, order=True)
class Landing:
    """One landing of a file, as positions tell it: a file that is put back lands anew."""

    path: str
    landed: int
    """LastModified, microseconds since 1970."""


@dataclass(frozen=True)
class FileCount:
    """How many rows of a file were read, and how many of them were quarantined."""

    file: Landing
    rows: int
    quarantined: int

    @property
    def share(self) -> float:
        return self.quarantined / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class BronzeAt:
    """A state of a source's bronze: the snapshot of its files, and of its changes where it has any."""

    files: int | None
    changes: int | None = None


@dataclass(frozen=True)
class Span:
    """What one attempt takes in: rows of bronze after one state of it (None: from the first), up to another."""

    after: int | None
    until: int
    sequence: int
    """The number that the table's rows get; it rises with every publication, so that no two spans are the same."""
    rebuild: bool
    rejected: str
    """Digest of the files up to `until` that people rejected, which are left out."""
    changes_after: int | None = None
    changes_until: int | None = None
    """None: the source has no changes."""

    @property
    def taken_in(self) -> BronzeAt:
        return BronzeAt(self.after, self.changes_after)

    @property
    def up_to(self) -> BronzeAt:
        return BronzeAt(self.until, self.changes_until)

    def as_json(self) -> dict[str, Any]:
        """What `Span(**told)` takes; a span without changes tells nothing of them, as before there were any."""
        told = asdict(self)
        return {key: value for key, value in told.items() if value is not None or not key.startswith("changes_")}


def batch_id(stage: str, contract_hash: str, span: Span, rules: Iterable[str]) -> str:
    """Eight hex digits that name a refused batch: the same rows under the same contract, breaking the same rules."""
    told = [stage, contract_hash, *span.as_json().values(), *sorted(set(rules))]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def digest(files: Iterable[Landing]) -> str:
    """Names a set of files; empty for none."""
    told = sorted((file.path, file.landed) for file in files)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16] if told else ""


def over_limit(files: Sequence[FileCount], limit: float) -> list[FileCount]:
    """The files whose quarantined share is above the limit, the worst first.

    Each file is judged by itself: a good file beside it, or after it, makes a bad one no better. Files below
    `SMALL_FILE_ROWS` are judged together; those above the limit are told when all of them together are.
    """
    small = [file for file in files if file.rows < SMALL_FILE_ROWS]
    together = FileCount(Landing("", 0), sum(f.rows for f in small), sum(f.quarantined for f in small))
    judged = [file for file in files if file.rows >= SMALL_FILE_ROWS]
    judged += small if together.share > limit else []
    return sorted((f for f in judged if f.share > limit), key=lambda f: (-f.share, f.file))
