"""The table that an application works on, as it really is, and what silver must hold of it."""

from dataclasses import dataclass, field
from typing import Any

from millrace.contract.problem import Problem
from millrace.domain.row_keys import row_key

Key = tuple[Any, ...]
Values = dict[str, Any]


@dataclass(frozen=True)
class Statement:
    """One change of one row.

    Attributes:
        key: Of the row before; None: it is inserted.
        values: What it holds after, all of it; None: it is deleted.
        broken: Columns whose value breaks the contract.
    """

    kind: str
    key: Key | None
    values: Values | None
    broken: frozenset[str] = frozenset()


@dataclass
class Row:
    """A row of the table, and the versions of its life that silver is made of."""

    values: Values
    broken: frozenset[str]
    first: Values | None = None
    last: Values | None = None
    label: Any = None


@dataclass
class World:
    """What the table holds, and so what silver must hold."""

    problem: Problem
    rows: dict[Key, Row] = field(default_factory=dict)
    known: set[Key] = field(default_factory=set)
    """Every key that there ever was."""
    ever: list[Key] = field(default_factory=list)
    """The same in the order in which they came, also again, to choose from."""

    def key_of(self, values: Values) -> Key:
        return tuple(values[name] for name in self.problem.source.primary_key)

    def apply(self, statement: Statement) -> None:
        """A statement was committed."""
        before = self.rows.pop(statement.key, None) if statement.key is not None else None
        if statement.values is None:
            return
        key, label = self.key_of(statement.values), self.problem.label_column
        row = before if before is not None and key == statement.key else Row({}, frozenset())
        row.values, row.broken = statement.values, statement.broken
        if not row.broken:
            row.first, row.last = row.first or row.values, row.values
            said = row.values.get(str(label))
            row.label = row.label if said is None else said
        self.rows[key] = row
        if key not in self.known or before is None:
            self.ever.append(key)
        self.known.add(key)

    def silver(self) -> dict[str, Values]:
        """Row key → what silver must hold of the rows that are there. A row whose values were always broken is not."""
        held = ((key, self._held(row)) for key, row in self.rows.items())
        return {row_key(self.problem.source, key): values for key, values in held if values is not None}

    def _held(self, row: Row) -> Values | None:
        if row.first is None or row.last is None:
            return None
        source, label, held = self.problem.source, self.problem.label_column, {}
        for name, column in source.columns.items():
            follows = column.update == "correct" and source.mode != "append"
            held[name] = row.label if name == label else (row.last if follows else row.first)[name]
        return held
