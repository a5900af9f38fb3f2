"""An application that works on the table which a problem follows: what it does next, and what is then true.

It inserts, corrects and deletes rows, gives them other keys, writes broken values, and learns labels late: in an update
that changes features, too, which must not reach the row that a model learns from.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from millrace.contract.errors import MillraceError
from millrace.contract.label import Label
from millrace.contract.problem import Problem
from millrace.contract.source import Column
from millrace.simulation.breakages import Breakage, breakages
from millrace.simulation.drawing import draw, draw_column, levels, null_texts
from millrace.simulation.truth import known_truth
from millrace.simulation.world import Key, Row, Statement, Values, World

DRAWN_AT_ONCE = 200
BURST_ROWS = 200
BURST_SHARE = 0.005
"""Share of transactions that write many rows."""
LABEL_AFTER = timedelta(days=3)
"""How long after its event a row is written at most; its label comes later still."""
SHARES = {"insert": 0.5, "label": 0.2, "correct": 0.12, "break": 0.08, "delete": 0.06, "rekey": 0.04}


class Application:
    """Decides what comes next. The same seed and the same fate of its transactions give the same decisions."""

    def __init__(self, problem: Problem, *, seed: int) -> None:
        """
        Raises:
            MillraceError: If the problem follows no table, or one whose rows no application of ours could change.
        """
        if problem.source.changes is None:
            raise MillraceError(
                "The problem follows no table that an application could work on",
                place=f"problem {problem.problem}, source {problem.source_name}",
                found="no section `changes`",
                expected="`changes: {}`, and a database whose table has the source's columns",
                fix=f"say it in include/problems/{problem.problem}.yaml, or land files",
            )
        if not isinstance(problem.label, Label) or not problem.source.primary_key:
            raise MillraceError(
                "The simulator plays no application on this problem's table",
                place=f"problem {problem.problem}",
                found="a label that is an event" if problem.source.primary_key else "a source without primary_key",
                expected="a label in a column, and rows that have a key",
                fix="choose another problem, or write to the table yourself",
            )
        self.problem, self.world = problem, World(problem)
        self._rng = np.random.default_rng([seed, 0x11FE])
        # Far from the keys of simulated files, and from those of another seed.
        self._number = 1_000_000 + seed % 900 * 100_000
        self._drawn: Iterator[tuple[Values, Any]] = iter(())
        self._ways = [way for way in breakages(problem) if _is_for_a_table(problem, way)]
        ruled = {side for rule in problem.source.rules for side in (rule.left, rule.right)}
        fixed = {*problem.source.primary_key, problem.source.event_timestamp, problem.label_column, *ruled}
        self._free = [name for name in problem.source.columns if name not in fixed]

    def first_rows(self, rows: int, *, broken_share: float = 0.1) -> list[Statement]:
        """What the table holds when somebody begins to follow it: rows whose label is known, some of them broken."""
        found = []
        for _ in range(rows):
            values, broken = self._fresh(labelled=True), frozenset[str]()
            if self._rng.random() < broken_share:
                values, broken = self._break(values)
            found.append(Statement("insert", None, values, broken))
        return found

    def next_transaction(self) -> list[Statement]:
        """Statements that touch each row once, but for a row that is inserted and updated at once."""
        burst = self._rng.random() < BURST_SHARE
        busy: set[Key] = set()
        found: list[Statement] = []
        for _ in range(BURST_ROWS if burst else int(self._rng.integers(1, 5))):
            for statement in self._next(busy):
                busy |= {key for key in (statement.key, self._key_after(statement)) if key is not None}
                found.append(statement)
        return found

    def _next(self, busy: set[Key]) -> list[Statement]:
        kind = str(self._rng.choice([*SHARES], p=[*SHARES.values()]))
        label = str(self.problem.label_column)
        key = self._choose(busy, wanted=lambda row: kind != "label" or row.values[label] is None)
        if kind == "insert" or key is None:
            return self._insert(busy)
        row = self.world.rows[key]
        match kind:
            case "delete":
                return [Statement(kind, key, None)]
            case "rekey":
                moved = row.values | {name: self._fresh()[name] for name in self.problem.source.primary_key}
                return [Statement(kind, key, moved, row.broken)]
            case "break":
                values, broken = self._break(row.values)
                return [Statement(kind, key, values, row.broken | broken)]
            case "label":
                values = row.values | {label: self._label()} | self._other_values()
            case _:
                # A row that was broken is mended by and by.
                values = row.values | self._mended(row.broken) | self._other_values()
        return [Statement(kind, key, values, row.broken - {n for n in values if values[n] is not row.values[n]})]

    def _insert(self, busy: set[Key]) -> list[Statement]:
        values, again = self._fresh(), self._choose(busy, is_there=False)
        if again is not None and self._rng.random() < 0.05:
            # A key comes again that was deleted: another row, of which nothing of the first one is true.
            values |= dict(zip(self.problem.source.primary_key, again, strict=True))
        broken: frozenset[str] = frozenset()
        if self._ways and self._rng.random() < SHARES["break"]:
            values, broken = self._break(values)
        found = [Statement("insert", None, values, broken)]
        if self._rng.random() < 0.1:
            found.append(Statement("correct", self.world.key_of(values), values | self._other_values(broken), broken))
        return found

    def _choose(
        self, busy: set[Key], *, is_there: bool = True, wanted: Callable[[Row], bool] = lambda _: True
    ) -> Key | None:
        """A key of a row that is there, or of one that no longer is; None where twenty draws meet none."""
        ever, rows = self.world.ever, self.world.rows
        for place in self._rng.integers(len(ever), size=20).tolist() if ever else []:
            key: Key = ever[place]
            if key not in busy and (key in rows) == is_there and (not is_there or wanted(rows[key])):
                return key
        return None

    def _key_after(self, statement: Statement) -> Key | None:
        return None if statement.values is None else self.world.key_of(statement.values)

    def _fresh(self, *, labelled: bool = False) -> Values:
        """The values of a row that never was; its label is not known yet, where that may be."""
        found = next(self._drawn, None)
        if found is None:
            self._drawn = self._draw()
            found = next(self._drawn)
        values, said = found
        label = str(self.problem.label_column)
        return values | {label: said if labelled or not self.problem.source.columns[label].nullable else None}

    def _draw(self) -> Iterator[tuple[Values, Any]]:
        """Rows, each with its label."""
        drawn = draw(self.problem, self._rng, DRAWN_AT_ONCE, self._number)
        self._number += DRAWN_AT_ONCE
        likely = known_truth(self.problem).probabilities(drawn)
        source = self.problem.source
        for place in range(DRAWN_AT_ONCE):
            values = {
                name: None if drawn.missing[name][place] else _plain(column, drawn.values[name][place])
                for name, column in source.columns.items()
            }
            if source.event_timestamp is not None:
                ago = LABEL_AFTER * float(self._rng.random())
                values[source.event_timestamp] = (datetime.now(UTC) - ago).replace(microsecond=0)
            yield values, self._label(float(likely[place]))

    def _label(self, likely: float = 0.4) -> Any:
        assert isinstance(self.problem.label, Label)
        yes, column = self.problem.label.positive, self.problem.source.columns[self.problem.label.column]
        if self._rng.random() < likely:
            return yes
        if column.type == "boolean":
            return not yes
        others = [level for level in levels(self.problem, self.problem.label.column) or [] if level != yes]
        return others[0] if others else ("no" if column.type == "string" else 0)

    def _other_values(self, keep: frozenset[str] = frozenset()) -> Values:
        chosen = [name for name in self._free if name not in keep and self._rng.random() < 0.2]
        return {name: self._value(name) for name in chosen}

    def _mended(self, broken: frozenset[str]) -> Values:
        """Values that keep the contract, of all columns that must keep it together."""
        fresh = self._fresh() if broken else {}
        ruled = [(rule.left, rule.right) for rule in self.problem.source.rules]
        together = {side for sides in ruled if broken & {*sides} for sides_ in ruled for side in sides_} | broken
        return {name: fresh[name] for name in together}

    def _value(self, name: str) -> Any:
        now = np.array([int(datetime.now(UTC).timestamp())])
        return _plain(self.problem.source.columns[name], draw_column(self.problem, name, self._rng, 1, now)[0])

    def _break(self, values: Values) -> tuple[Values, frozenset[str]]:
        if not self._ways:
            return values, frozenset()
        way = self._ways[int(self._rng.integers(len(self._ways)))]
        said = _choices(self.problem, way)
        words = said[int(self._rng.integers(len(said)))]
        return values | dict(zip(way.columns, words, strict=True)), frozenset(way.columns)


def _is_for_a_table(problem: Problem, way: Breakage) -> bool:
    """Whether a table whose columns have types, and a key, can hold it."""
    touched = {*way.columns} & {*problem.source.primary_key}
    return bool(way.columns) and not touched and not way.code.startswith("type:") and bool(_choices(problem, way))


def _choices(problem: Problem, way: Breakage) -> list[tuple[Any, ...]]:
    columns = problem.source.columns
    found = []
    for words in way.choices:
        try:
            found.append(tuple(_said(problem, columns[n], n, word) for n, word in zip(way.columns, words, strict=True)))
        except ValueError:
            continue
    return found


def _said(problem: Problem, column: Column, name: str, word: str) -> Any:
    if word in null_texts(problem, name):
        return None
    match column.type:
        case "integer":
            return int(word)
        case "number":
            return float(word.replace(problem.source.decimal, "."))
        case "timestamp":
            return datetime.fromisoformat(word)
        case "boolean":
            raise ValueError(word)
        case _:
            return word


def _plain(column: Column, value: Any) -> Any:
    """A drawn value as the database takes it."""
    if column.type == "timestamp":
        return datetime.fromtimestamp(int(value), UTC)
    return value.item() if isinstance(value, np.generic) else value
