"""Data files that are written in a stream, and become part of a table in one commit, or never."""

import uuid
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.adapters.lake.branches import BRANCH_PROPERTY, Branch, lost
from millrace.adapters.lake.tables import catalog


class DataFile:
    """A Parquet file of a table, which no reader sees before `add_files`. Its rows must be of one partition.

    Not pyiceberg's append: that takes a partitioned table's rows whole, in memory.
    """

    def __init__(self, table: str, schema: pa.Schema) -> None:
        loaded = catalog().load_table(table)
        self.path = loaded.location_provider().new_data_location(f"{uuid.uuid4()}.parquet")
        self.rows = 0
        self._discarded = False
        self._io = loaded.io
        self._stream = self._io.new_output(self.path).create()
        self._writer = pq.ParquetWriter(self._stream, schema, compression="zstd")

    def write(self, rows: pa.Table) -> None:
        """Write one row group."""
        self._writer.write_table(rows)
        self.rows += rows.num_rows

    def close(self) -> None:
        self._writer.close()
        self._stream.close()

    def discard(self) -> None:
        """Delete what was written. Harmless when done twice."""
        if not self._discarded:
            self.close()
            self._io.delete(self.path)
            self._discarded = True


def add_files(branch: Branch, files: Iterable[DataFile], properties: dict[str, str]) -> None:
    """Make closed data files part of a branch, in one commit with properties in its summary.

    Raises:
        LostRaceError: If the branch is gone: a commit would silently make a new one.
    """
    loaded = catalog().load_table(branch.table)
    if branch.name not in loaded.metadata.refs:
        raise lost(branch, f"branch {branch.name} is gone")
    paths = [file.path for file in files]
    stamped = {**properties, BRANCH_PROPERTY: branch.name}
    # The paths are new by their UUIDs; looking for duplicates would read every manifest.
    loaded.add_files(paths, snapshot_properties=stamped, check_duplicate_files=False, branch=branch.name)
