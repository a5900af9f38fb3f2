"""A source: one table or one family of files, and what every row of it must be."""

import re
from collections import Counter
from operator import not_
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from millrace.contract.changes import Changes
from millrace.contract.extract import Extract, check_extract
from millrace.contract.model import Model
from millrace.contract.names import IDENTIFIER, POSTGRES_COLUMNS, RESERVED_COLUMNS
from millrace.contract.topic import Topic

Identifier = Annotated[str, Field(pattern=f"^{IDENTIFIER.pattern}$")]
ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
ColumnType = Literal["string", "integer", "number", "boolean", "timestamp"]
Scalar = str | int | float | bool
BLANKS = " \t"
"""What `trim` takes away around values."""


class Column(Model):
    """One column: its type, its constraints, and how its value may change."""

    type: ColumnType
    """string, integer (a file may write 1 as 1.0), number, boolean or timestamp (ISO 8601, UTC unless it says so)."""
    header: str | None = Field(default=None, min_length=1)
    """The column's name in the header of a file, such as "Credit Score" or "label"; default: the column's own name."""
    description: str = ""
    """What the column means, shown in the API and the DAG docs."""
    unit: str = ""
    """Unit of measure, such as mg/dL."""
    nullable: bool = False
    """Whether a row without a value is valid."""
    # A key that came later: where it is not used, a package holds the same bytes as before.
    optional: bool = Field(default=False, exclude_if=not_)
    """Whether a file may lack the column altogether; its rows then have no value, so the column is nullable, too."""
    min: float | None = None
    """Smallest valid value (integer and number)."""
    max: float | None = None
    """Largest valid value (integer and number)."""
    allowed: tuple[Scalar, ...] | None = None
    """The only valid values (string and integer)."""
    pattern: str | None = None
    """Regular expression that the whole value must match (string)."""
    null_values: tuple[str, ...] = ()
    """Spellings of "no value" in this column, besides those of the source: "0" where a zero hides a missing value."""
    sensitive: bool = False
    """Personal: stays in silver; never reaches gold, a model or a log. A key reaches gold as an unsalted hash."""
    update: Literal["freeze", "correct"] = "freeze"
    """Which version counts: the first at or after the event time (freeze), or the last (correct)."""
    available: Literal["request", "online"] = "request"
    """Reserved: whether the caller sends the value, or an online store knows it. Today the caller sends every value."""

    @model_validator(mode="after")
    def _constraints_fit_type(self) -> Self:
        if self.optional and not self.nullable:
            raise ValueError("optional needs nullable: true, as the rows of a file without the column have no value")
        numeric = self.type in ("integer", "number")
        if (self.min is not None or self.max is not None) and not numeric:
            raise ValueError(f"min and max need type integer or number, not {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        limits = [limit for limit in (self.min, self.max) if limit is not None]
        if self.type == "integer" and not all(limit.is_integer() for limit in limits):
            raise ValueError(f"min and max of an integer are whole numbers, not {' and '.join(map(str, limits))}")
        if self.pattern is not None:
            if self.type != "string":
                raise ValueError(f"pattern needs type string, not {self.type}")
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is not a regular expression: {error}") from error
        if self.allowed is not None:
            kind: type[str | int] | None = {"string": str, "integer": int}.get(self.type)
            if kind is None:
                raise ValueError(f"allowed needs type string or integer, not {self.type}")
            wrong = [v for v in self.allowed if not isinstance(v, kind) or isinstance(v, bool)]
            if wrong or not self.allowed:
                raise ValueError(
                    f"allowed must list at least one {self.type}; wrong: {wrong} (quote words like Yes and No)"
                )
            if len(set(self.allowed)) != len(self.allowed):
                raise ValueError("allowed lists a value twice")
        return self


class CrossColumnRule(Model):
    """A comparison that must hold between two columns of a row; a missing value on either side passes."""

    name: Identifier
    """Told in the reason code of a row that breaks it: `cross_column:<name>`."""
    left: ColumnName
    """A column."""
    operator: Literal["<", "<=", ">", ">=", "==", "!="]
    """The comparison that must hold."""
    right: ColumnName
    """A column of the same type; integer and number compare."""


class Quality(Model):
    """Limits of a whole batch or table; beyond one of them, nothing is published."""

    max_quarantined_share: float = Field(default=0.25, ge=0, le=1)
    """Largest share of a file's rows that may be quarantined; files of fewer than 20 rows are judged together."""
    min_rows: int = Field(default=1, ge=0)
    """Fewest rows that silver may hold."""
    max_row_count_drop: float = Field(default=0.1, ge=0, le=1)
    """Largest share of silver's rows that may vanish from one publication to the next."""


class Source(Model):
    """Where rows come from and what each must be."""

    format: Literal["csv", "parquet"] = "csv"
    """csv, also packed by gzip or Zstandard, or parquet; what a file is called does not matter."""
    has_header: bool = True
    """Whether a file's first line names its columns. Without it, `columns` are those of the file, in its order; key and
    time may be lacking where Millrace assigns them (csv)."""
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    """How the bytes of a file are read that has no byte order mark (csv). It counts when a file is ingested: land a
    file that was set aside once more, under another name."""
    landing: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*/)*$")
    """Prefix in the landing bucket, ending in "/"; default: the source's name."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """The character between fields (csv)."""
    trim: bool = False
    """Blanks (spaces and tabs) around a value are no part of it, nor around a name in the header. Bronze keeps the
    values as they are: a change counts for rows that are there, too."""
    decimal: Literal[".", ","] = "."
    """What stands before the fraction of a number or integer; with "," a point is refused, as it may part thousands.
    Bronze keeps the values as they are: a change counts for rows that are there, too (csv)."""
    dates: Literal["iso", "day_first", "month_first"] = "iso"
    """How files write a timestamp: 2026-01-31; or as well 31.1.2026 or 31/01/2026 9:05 (day_first), or 1/31/2026
    (month_first). A request says ISO 8601 whatever stands here. A change counts for rows that are there, too."""
    null_values: tuple[str, ...] = ("", "NA", "N/A", "null", "NULL")
    """Spellings of "no value" in any column."""
    mode: Literal["keyed", "append"] = "keyed"
    """keyed: a later row of the same key replaces the earlier; append: the first row of a key stays (events)."""
    primary_key: tuple[ColumnName, ...] = ()
    """Columns that identify a row. Omit where the files have none, and say assigned_key."""
    assigned_key: Literal["row_content"] | None = None
    """The identity of a row where a file lacks the key: SHA-256 of the declared columns, and its count in the file.
    Of a message it is that of the first such row in a file: the same content sent twice is one row."""
    event_timestamp: ColumnName | None = None
    """Column of the time at which the row was true. Omit where the files have none, and say assigned_time."""
    assigned_time: Literal["file_modified"] | None = None
    """The event time where a file lacks it: the time the file landed; of a message, the time it was sent."""
    columns: dict[ColumnName, Column] = Field(min_length=1)
    """Every column that counts, key and time included. A file must have all that are not optional,
    in any order; others are ignored."""
    rules: tuple[CrossColumnRule, ...] = ()
    """Comparisons between columns, each judged on a row as it came. Of a keyed source, columns that update differently
    may come from two versions of a row, so what silver holds of them may break a rule that each version kept."""
    quality: Quality = Quality()
    """Limits of a whole batch or table."""
    # No part of a dump, which goes into packages: by which way rows come changes no model.
    changes: Changes | None = Field(default=None, exclude=True)
    """A table of the source database whose changes come besides files. `changes: {}` takes every default."""
    topic: Topic | None = Field(default=None, exclude=True)
    """A Kafka topic whose messages are rows, besides those of files: `topic: {name: shop.events}`."""
    extract: Extract | None = Field(default=None, exclude=True)
    """A table of the source database that is read now and then, and lands as a file, where nothing tells of its
    changes. It needs `format: parquet`. `extract: {}` takes every default."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.primary_key and self.assigned_key is None:
            raise ValueError("a source needs primary_key, or assigned_key: row_content where its files have no key")
        if self.event_timestamp is None and self.assigned_time is None:
            raise ValueError(
                "a source needs event_timestamp, or assigned_time: file_modified where its files have no time"
            )
        if self.delimiter in '"\r\n\0':
            raise ValueError(f"delimiter {self.delimiter!r} cannot part fields: a quote or line end is another thing")
        self._check_format()
        self._check_names()
        self._check_allowed()
        self._check_key_and_time()
        self._check_rules()
        self._check_changes()
        if self.extract is not None:
            check_extract(self.extract, self)
        self._check_topic()
        return self

    def _check_format(self) -> None:
        of_text = ("has_header", "encoding", "delimiter", "decimal")
        told = [key for key in of_text if getattr(self, key) != type(self).model_fields[key].default]
        if self.format == "parquet" and told:
            raise ValueError(f"{' and '.join(told)} cannot be said of format parquet, which knows it itself")
        called = [name for name, column in self.columns.items() if column.header]
        if not self.has_header and called:
            raise ValueError(f"columns.{called[0]}.header names a header, and has_header says that files have none")

    def _check_names(self) -> None:
        folded: dict[str, str] = {}
        for name in self.columns:
            # Spark and Postgres fold case, so two columns that differ by case only would become one.
            if name.lower() in folded:
                raise ValueError(f"columns {folded[name.lower()]} and {name} differ only by case")
            folded[name.lower()] = name
            if name.lower() in RESERVED_COLUMNS:
                raise ValueError(f"the column name {name} is used by Millrace itself; {_rename(name)}")
            if name.lower() in POSTGRES_COLUMNS:
                raise ValueError(f"the column name {name} is one that Postgres keeps for itself; {_rename(name)}")
            if name.lower() == "event_timestamp" and name != self.event_timestamp:
                raise ValueError(f"the column name {name} is that of the event time; {_rename(name)}")
        if twice := [header for header, times in Counter(map(self.header_of, self.columns)).items() if times > 1]:
            raise ValueError(f"columns of one header: two columns are called {twice[0]} in the file")

    def _check_allowed(self) -> None:
        for name, column in self.columns.items():
            padded = [word for word in map(str, column.allowed or ()) if self.trim and word != word.strip(BLANKS)]
            if padded:
                raise ValueError(f"columns.{name}.allowed lists {padded[0]!r}, whose blanks trim takes from every file")
            unreadable = sorted({*self.null_values, *column.null_values} & set(map(str, column.allowed or ())))
            if unreadable:
                raise ValueError(
                    f"columns.{name}.allowed lists {', '.join(unreadable)}, which null_values reads as no value;"
                    " give the source null_values without it"
                )

    def _check_key_and_time(self) -> None:
        for name in (*self.primary_key, *([self.event_timestamp] if self.event_timestamp else [])):
            if name not in self.columns:
                raise ValueError(f"{name} is used as key or time but is not one of the columns")
            if self.columns[name].nullable:
                raise ValueError(f"{name} is used as key or time, so it cannot be nullable")
        if self.event_timestamp is None:
            return
        if self.columns[self.event_timestamp].type != "timestamp":
            raise ValueError(f"event_timestamp {self.event_timestamp} must have type timestamp")
        if self.columns[self.event_timestamp].sensitive:
            raise ValueError(f"event_timestamp {self.event_timestamp} is sensitive, and every row of gold has its time")

    def _check_rules(self) -> None:
        for rule in self.rules:
            for name in (rule.left, rule.right):
                if name not in self.columns:
                    raise ValueError(f"rule {rule.name} names {name}, which is not one of the columns")
            kinds = {
                "number" if self.columns[n].type == "integer" else self.columns[n].type for n in (rule.left, rule.right)
            }
            if len(kinds) > 1:
                raise ValueError(f"rule {rule.name} compares a {' with a '.join(sorted(kinds))}")

    def _check_changes(self) -> None:
        if self.changes is None:
            return
        if not self.primary_key:
            raise ValueError("changes needs primary_key: an update is known by the key of its row, not by its content")
        if self.event_timestamp is None:
            raise ValueError("changes needs event_timestamp: a change has no file whose time could be the row's")

    def _check_topic(self) -> None:
        if self.topic is None or not self.topic.brings_changes:
            return
        if not self.primary_key or self.event_timestamp is None:
            raise ValueError("topic of format debezium needs primary_key and event_timestamp, as `changes` does")
        if self.changes is not None:
            raise ValueError(
                "topic of format debezium cannot stand beside changes: positions in two logs do not say which change of"
                " a row is the later one"
            )

    def header_of(self, name: str) -> str:
        """The name of a column in the header of a file."""
        return self.columns[name].header or name

    def optional_in_file(self) -> frozenset[str]:
        """Columns that a file may lack: those that say so, and those that Millrace assigns."""
        optional = {name for name, column in self.columns.items() if column.optional}
        if self.assigned_key:
            optional.update(self.primary_key)
        if self.event_timestamp and self.assigned_time:
            optional.add(self.event_timestamp)
        return frozenset(optional)


def _rename(header: str) -> str:
    return f'choose another name, and say `header: "{header}"`'
