"""The closed list of column constraints, as data. Every engine renders this list; one parity corpus holds them equal.

Renderings: `spark_jobs/transforms/quarantine.py` (predicates), `expectations/suites.py` (Great Expectations),
`serving/request_models.py` (pydantic).
"""

import re
from dataclasses import dataclass
from typing import Literal

from millrace.contract.source import Column, ColumnType, CrossColumnRule, Scalar, Source

# What a raw string must look like to be of a type. Engines differ in what their own casts accept ("1d" is a number to
# Java), so a cast happens only behind the pattern. Java and Python read these alike when anchored to the whole value.
RAW_PATTERNS: dict[ColumnType, str] = {
    # Pandas writes integers beside missing values as "1.0". Below 9e18, for every engine has 64 bits: identifiers of
    # 19 digits are common, such as those of the public shop events.
    "integer": r"[+-]?([0-9]{1,18}|[1-8][0-9]{18})(\.0+)?",
    "number": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?",
    "boolean": r"(?i:true|false|yes|no|y|n|1|0)",
    # Year 0000 and offsets beyond 14 hours are values to Java or to Python, not to both; a zone needs a time.
    "timestamp": (
        r"(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
        r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?( ?(Z|UTC|[+-](0[0-9]|1[0-4]):?[0-5][0-9]))?)?"
    ),
}
TRUE_SPELLINGS = ("true", "yes", "y", "1")

# Reasons of rows of which no column can be judged; those of constraints follow from these: `reason`.
FIELD_COUNT = "row:field_count"
"""Of a file's row that has no fields: their number does not fit the header."""
MESSAGE = "message:malformed"
"""Of a message of a topic that cannot be read as a change."""


def number_said(text: str, source: Source) -> float | None:
    """The number that a text of a file says, by the source's decimal sign; None if it says none."""
    plain = text if source.decimal == "." else text.translate(_SWAPPED)
    return float(plain) if re.fullmatch(RAW_PATTERNS["number"], plain) else None


_SWAPPED = str.maketrans(".,", ",.")


@dataclass(frozen=True)
class Required:
    """The value is not null."""

    column: str
    kind: Literal["required"] = "required"


@dataclass(frozen=True)
class HasType:
    """The raw value can be read as the column's type (and is finite)."""

    column: str
    type: ColumnType
    kind: Literal["type"] = "type"


@dataclass(frozen=True)
class InRange:
    """min ≤ value ≤ max, both ends included; an end may be open."""

    column: str
    min: float | None
    max: float | None
    kind: Literal["range"] = "range"


@dataclass(frozen=True)
class InSet:
    """The value is one of the allowed ones."""

    column: str
    allowed: tuple[Scalar, ...]
    kind: Literal["allowed"] = "allowed"


@dataclass(frozen=True)
class MatchesPattern:
    """The whole value matches the pattern."""

    column: str
    pattern: str
    kind: Literal["pattern"] = "pattern"


@dataclass(frozen=True)
class CrossColumn:
    """The comparison `left operator right` holds, or one side is null."""

    rule: CrossColumnRule
    kind: Literal["cross_column"] = "cross_column"


ColumnConstraint = Required | HasType | InRange | InSet | MatchesPattern
Constraint = ColumnConstraint | CrossColumn


def reason(constraint: Constraint) -> str:
    """The code under which a broken constraint is reported everywhere, such as `range:Age`."""
    name = constraint.rule.name if isinstance(constraint, CrossColumn) else constraint.column
    return f"{constraint.kind}:{name}"


def column_constraints(name: str, column: Column) -> tuple[ColumnConstraint, ...]:
    """The constraints of one column, the type first. All but `Required` pass on null."""
    found: list[ColumnConstraint] = [HasType(name, column.type)]
    if not column.nullable:
        found.append(Required(name))
    if column.min is not None or column.max is not None:
        found.append(InRange(name, column.min, column.max))
    if column.allowed is not None:
        found.append(InSet(name, column.allowed))
    if column.pattern is not None:
        found.append(MatchesPattern(name, column.pattern))
    return tuple(found)


def source_constraints(source: Source) -> tuple[Constraint, ...]:
    """Every constraint of a source's rows, columns in their order, then the rules between columns."""
    columns = [c for name, column in source.columns.items() for c in column_constraints(name, column)]
    return (*columns, *(CrossColumn(rule) for rule in source.rules))
