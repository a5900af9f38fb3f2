"""Extract: a table of an operational database that is read now and then, where nothing tells of its changes. How rows
come, not what each must be: no part of a package, nor of a hash."""

from typing import Literal

from pydantic import Field, field_validator

from millrace.contract.changes import TABLE, table_of_an_application
from millrace.contract.model import Model

SCHEDULE = r"^(@(hourly|daily|weekly|monthly)|(\S+ ){4}\S+)$"
WATERMARK_TYPES: dict[str, float] = {"timestamp": 300, "integer": 1000}
"""Type of a watermark → how far before its newest value the next extract begins, unless the contract says so."""


class Extract(Model):
    """A table of the source database that is read as a whole, or from a watermark on, and lands as a Parquet file.

    Its columns are called as those of the contract. An extract sees the table as it is when it is read: of a value that
    was changed twice in between, the last; and of a row that was **deleted**, nothing. It stays in silver and gold, for
    no file deletes. Who needs deletes follows the table with [`changes`](#changes).
    """

    table: str | None = Field(default=None, pattern=f"^{TABLE.pattern}$")
    """The table or view, as schema.table; default: the source's name in the schema `public`."""
    watermark: str | None = Field(default=None, min_length=1)
    """A column, of type timestamp or integer, that each insert and each update sets to a greater value, such as
    `updated_at`: then only rows from the newest landed value on are read. Without it, each extract reads every row."""
    overlap: float | None = Field(default=None, ge=0)
    """How far before the newest landed value the next extract begins, as a transaction may set an earlier value and
    commit later: seconds of a timestamp (default: 300), values of an integer (default: 1000). Rows that are read twice
    change nothing."""
    schedule: str | None = Field(default="@daily", pattern=SCHEDULE)
    """When the table is read, a cron expression (UTC); null: by hand alone."""

    @field_validator("table")
    @classmethod
    def _not_of_the_house(cls, table: str | None) -> str | None:
        return table_of_an_application(table)

    def overlap_of(self, kind: Literal["timestamp", "integer"]) -> float:
        """The overlap, in seconds or values, of a watermark of this type."""
        return WATERMARK_TYPES[kind] if self.overlap is None else self.overlap
