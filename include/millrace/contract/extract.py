"""Extract: a table of an operational database that is read now and then, where nothing tells of its changes. How rows
come, not what each must be: no part of a package, nor of a hash."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from millrace.contract.changes import TABLE, table_of_an_application
from millrace.contract.cron import Cron
from millrace.contract.errors import did_you_mean
from millrace.contract.model import Model

if TYPE_CHECKING:
    from millrace.contract.source import Source

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
    schedule: Cron | None = "@daily"
    """When the table is read, a cron expression (UTC); null: by hand alone."""

    @field_validator("table")
    @classmethod
    def _not_of_the_house(cls, table: str | None) -> str | None:
        return table_of_an_application(table)

    def overlap_of(self, kind: Literal["timestamp", "integer"]) -> float:
        """The overlap, in seconds or values, of a watermark of this type."""
        return WATERMARK_TYPES[kind] if self.overlap is None else self.overlap


def check_extract(extract: Extract, source: "Source") -> None:
    """
    Raises:
        ValueError: If the source is not one whose table can be extracted so.
    """
    if source.changes is not None:
        raise ValueError("extract and changes are two ways for one table: changes alone brings every row, and deletes")
    if source.topic is not None and source.topic.brings_changes:
        raise ValueError("extract and a topic of changes are two ways for one table: the topic alone brings deletes")
    if source.topic is not None and source.mode == "keyed":
        raise ValueError(
            "extract beside a topic of producers needs mode: append: what was read before a message came lands after"
            " it, and its older values would win"
        )
    if source.format != "parquet":
        raise ValueError("extract needs format: parquet, for what it lands is Parquet, and a source has one format")
    if not source.primary_key:
        raise ValueError("extract needs primary_key: a row that is read again is known by its key")
    name = extract.watermark
    if name is None:
        if extract.overlap is not None:
            raise ValueError("extract.overlap is said of a watermark, and without one every row is read")
        return
    if name not in source.columns:
        hint = did_you_mean(name, list(source.columns))
        raise ValueError(f"extract.watermark names {name}, which is not one of the columns; {hint}")
    column = source.columns[name]
    if column.type not in WATERMARK_TYPES:
        raise ValueError(f"extract.watermark {name} must have type timestamp or integer, not {column.type}")
    if column.nullable:
        raise ValueError(f"extract.watermark {name} is nullable, and a row without it would be new for ever")
