"""What a caller may send: the contract of the served package, rendered as a pydantic model of one row.

The contract is the package's own, not the one in the repository, so that model and request always fit, also after a
rollback across a contract change.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from millrace.contract.constraints import (
    ColumnConstraint,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    column_constraints,
    number_said,
)
from millrace.contract.problem import Problem
from millrace.contract.source import Column, ColumnType, CrossColumnRule, Scalar, Source
from millrace.domain.prediction_record import storable_columns
from millrace.domain.row_keys import row_key
from millrace.domain.times import as_timestamp

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
LARGEST_INTEGER = 9 * 10**18 - 1
"""A file's integer is no greater (`RAW_PATTERNS`), so a request's is not, either."""

HASHABLE = (str, int, float)
"""Not bool: true is no spelling of 1."""

SCALARS = (str, int, float)

Row = dict[str, Scalar | None]


def _is_time(text: str) -> str:
    as_timestamp(text)
    return text


# A time stays the text that the caller sent: feature programs read its text, and the answer shows what was sent.
TYPES: dict[ColumnType, Any] = {
    "string": str,
    "integer": Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)],
    "number": float,
    "boolean": bool,
    "timestamp": Annotated[str, AfterValidator(_is_time)],
}


def rendered(constraint: ColumnConstraint) -> Any:
    """What pydantic must be told to hold one constraint; None for those that the type or its absence tell."""
    match constraint:
        case InRange(min=low, max=high):
            return Field(ge=low, le=high)
        case InSet(allowed=allowed):
            return AfterValidator(_refusing(frozenset(allowed).__contains__))
        case MatchesPattern(pattern=pattern):
            return AfterValidator(_refusing(re.compile(pattern, re.ASCII).fullmatch))
        case HasType() | Required():
            return None


def _refusing(holds: Callable[[Any], object]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError
        return value

    return check


def spellings_of_nothing(column: Column, source: Source) -> frozenset[str | float]:
    """What means "no value" in this column: the texts of the contract, and as numbers those that are numbers."""
    texts = {*source.null_values, *column.null_values}
    if column.type not in ("integer", "number"):
        return frozenset(texts)
    return frozenset(texts | {number for text in texts if (number := number_said(text, source)) is not None})


@dataclass(frozen=True)
class RequestModel:
    """One problem's rows: their columns, and the prepared pydantic validators."""

    columns: Mapping[str, Column]
    """What the model reads, and the key of the row, which a caller may tell to find its predictions by."""
    key: tuple[str, ...]
    """The columns of the key that a caller may tell; a sensitive key is known to us as a hash alone."""
    unread: frozenset[str]
    """Sensitive columns of the source: taken from callers who send their whole row, and dropped unread."""
    storable: tuple[str, ...]
    """The columns that may be kept with a prediction."""
    source: Source
    rules: tuple[CrossColumnRule, ...]
    nothing: Mapping[str, frozenset[str | float]]
    row: TypeAdapter[Row]
    single: Mapping[str, tuple[tuple[ColumnConstraint, TypeAdapter[Any]], ...]]
    """Each constraint of a column on its own, its type first: to tell every broken one, not only the first."""

    def read(self, sent: dict[str, Any]) -> Row | None:
        """The row as the scorer takes it, every column that it reads present and no other; None if it breaks the
        contract anywhere."""
        try:
            row = self.row.validate_python(self.normalised(sent))
        except ValidationError:
            return None
        if self.rules and self.broken_rules(row):
            return None
        for name in self.key:
            row.pop(name, None)
        return row

    def normalised(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The row without what is not read, with None for every spelling of "no value" and for every nullable column
        that was left out."""
        row = dict(sent) if self.unread.isdisjoint(sent) else {n: v for n, v in sent.items() if n not in self.unread}
        for name, nothing in self.nothing.items():
            value = row.get(name)
            if value is None:
                if self.columns[name].nullable:
                    row[name] = None
            elif type(value) in HASHABLE and value in nothing:
                row[name] = None
        return row

    def entity(self, sent: Mapping[str, Any]) -> str | None:
        """The key of the row as the lake spells it (`row_key`); None if the caller did not tell the whole of it."""
        names = self.source.primary_key
        parts = [value for name in names if isinstance(value := sent.get(name), SCALARS)]
        if not parts or len(parts) < len(names):
            return None
        times = [self.source.columns[name].type == "timestamp" for name in names]
        try:
            said = [as_timestamp(str(part)) if is_time else part for part, is_time in zip(parts, times, strict=True)]
        except ValueError:
            return None  # A sensitive key is read by nobody before: what is no key finds nothing.
        return row_key(self.source, said)

    def broken_rules(self, row: Mapping[str, Any]) -> list[CrossColumnRule]:
        """The comparisons between columns that do not hold; a missing value on either side passes."""
        broken = []
        for rule in self.rules:
            left, right = self._comparable(rule.left, row), self._comparable(rule.right, row)
            if left is not None and right is not None and not OPERATORS[rule.operator](left, right):
                broken.append(rule)
        return broken

    def _comparable(self, name: str, row: Mapping[str, Any]) -> Any:
        value = row.get(name)
        return as_timestamp(value) if value is not None and self.columns[name].type == "timestamp" else value


def request_model(problem: Problem) -> RequestModel:
    """Build the model of one problem's rows from its contract."""
    source = problem.source
    unread = frozenset(name for name, column in source.columns.items() if column.sensitive)
    key = () if unread & set(source.primary_key) else source.primary_key
    told = {name: source.columns[name].model_copy(update={"nullable": True}) for name in key}
    columns = {**told, **problem.request_columns()}
    single = {
        name: tuple((c, TypeAdapter(_annotated(column, c), config=STRICT)) for c in column_constraints(name, column))
        for name, column in columns.items()
    }
    return RequestModel(
        columns=columns,
        key=key,
        unread=unread,
        storable=storable_columns(columns),
        source=source,
        rules=tuple(r for r in problem.source.rules if r.left in columns and r.right in columns),
        nothing={n: spellings_of_nothing(c, problem.source) for n, c in columns.items()},
        row=_row_adapter(problem.problem, columns),
        single=single,
    )


def _row_adapter(problem: str, columns: Mapping[str, Column]) -> TypeAdapter[Row]:
    fields: dict[str, Any] = {}
    for name, column in columns.items():
        field = _annotated(column, *column_constraints(name, column))
        fields[name] = NotRequired[field | None] if column.nullable else field
    # A TypedDict, not a BaseModel: a column may be called `copy` or `model_fields`, and the result is the row itself.
    make: Any = TypedDict  # To mypy, TypedDict is a word and no function.
    typed = make(f"{problem}_row", fields)
    typed.__pydantic_config__ = STRICT
    return TypeAdapter(typed)


def _annotated(column: Column, *constraints: ColumnConstraint) -> Any:
    kind = TYPES[column.type]
    for constraint in constraints:
        if (metadata := rendered(constraint)) is not None:
            kind = Annotated[kind, metadata]
    return kind
