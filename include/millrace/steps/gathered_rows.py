"""The rows of many small files in one data file: ten thousand files are not ten thousand objects of the lake."""

from contextlib import ExitStack

import pyarrow as pa

from millrace.adapters import lake
from millrace.steps.bronze_table import ARROW


class GatheredRows:
    """Tables of rows, written together in row groups of at least `group_rows`; nothing is written before it is full.

    Args:
        undo: Deletes the data file, if one was begun.
    """

    def __init__(self, table: str, group_rows: int, undo: ExitStack) -> None:
        self._table = table
        self._group_rows = group_rows
        self._undo = undo
        self._waiting: list[pa.Table] = []
        self._data: lake.DataFile | None = None

    def add(self, rows: pa.Table) -> None:
        """Take in the rows of one file."""
        self._waiting.append(rows)
        if sum(table.num_rows for table in self._waiting) >= self._group_rows:
            self._write()

    def close(self) -> lake.DataFile | None:
        """The data file, closed; None if there was no row."""
        if self._waiting:
            self._write()
        if self._data:
            self._data.close()
        return self._data

    def _write(self) -> None:
        if self._data is None:
            self._data = lake.DataFile(self._table, ARROW)
            self._undo.callback(self._data.discard)
        self._data.write(pa.concat_tables(self._waiting).combine_chunks())
        self._waiting.clear()
