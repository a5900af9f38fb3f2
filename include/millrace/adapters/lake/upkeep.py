"""What maintenance asks of a table: who writes, which snapshots there are, which files lie under it."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyiceberg.table.refs import SnapshotRefType

from millrace.adapters.lake.reading import MAIN, Head, describe
from millrace.adapters.lake.tables import catalog


@dataclass(frozen=True)
class Kept:
    """Every snapshot of a table, and where its branches and tags stand."""

    snapshots: tuple[Head, ...]
    refs: dict[str, int]

    @property
    def main(self) -> int | None:
        return self.refs.get(MAIN)


def kept(table: str) -> Kept:
    """The snapshots that have not expired, and the refs."""
    metadata = catalog().load_table(table).metadata
    refs = {name: ref.snapshot_id for name, ref in metadata.refs.items()}
    return Kept(tuple(map(describe, metadata.snapshots)), refs)


def writers(table: str, *, besides: Iterable[str] = ()) -> list[str]:
    """The branches of other attempts: each is the work of one that has not published yet, or was killed."""
    refs = catalog().load_table(table).metadata.refs
    found = {name for name, ref in refs.items() if ref.snapshot_ref_type == SnapshotRefType.BRANCH}
    return sorted(found - {MAIN, *besides})


def schema_at(table: str, ref: str) -> int | None:
    """The number of the schema that the rows at a ref were written with."""
    head = catalog().load_table(table).snapshot_by_name(ref)
    return None if head is None else head.schema_id


def folder(table: str) -> tuple[str, str]:
    """Bucket and prefix under which a table's files lie."""
    bucket, _, prefix = catalog().load_table(table).location().removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/"
