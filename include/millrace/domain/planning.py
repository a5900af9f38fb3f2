"""What a changed contract means: for the rows, for the tables' columns, and for whoever asks for predictions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.contract.hashing import deciding
from millrace.contract.problem import Problem
from millrace.contract.source import Column

ABSENT = None


@dataclass(frozen=True)
class KeyChange:
    """A key of the contract that decides about rows. None: it is not there."""

    place: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ColumnChanges:
    """Columns of a table, each with its type; of a retyped one the type before and after."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    retyped: Mapping[str, tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.retyped)


@dataclass(frozen=True)
class RequestChange:
    """What changes for callers about one column. Breaking: a request that was answered may be refused."""

    column: str
    what: str
    breaking: bool


def key_changes(before: Problem, after: Problem) -> list[KeyChange]:
    """The keys in which two contracts differ, of those that decide about the rows of silver and gold."""
    old, new = dict(_flat("", _told(before))), dict(_flat("", _told(after)))
    places = [place for place in {**old, **new} if old.get(place, ABSENT) != new.get(place, ABSENT)]
    return [KeyChange(place, old.get(place, ABSENT), new.get(place, ABSENT)) for place in places]


def column_changes(before: Mapping[str, str], after: Mapping[str, str]) -> ColumnChanges:
    """How the columns of a table change, by name and type."""
    return ColumnChanges(
        added={name: kind for name, kind in after.items() if name not in before},
        removed={name: kind for name, kind in before.items() if name not in after},
        retyped={name: (before[name], kind) for name, kind in after.items() if before.get(name, kind) != kind},
    )


def request_changes(before: Problem, after: Problem) -> list[RequestChange]:
    """What callers of a version that was trained under `before` notice when one trained under `after` serves.

    A request model refuses columns that it does not know, so a removed column breaks callers that still send it.
    """
    old, new = before.request_columns(), after.request_columns()
    found = [
        RequestChange(name, "is no longer taken: a request that sends it is refused", True) for name in old.keys() - new
    ]
    for name in new.keys() - old:
        needed = not new[name].nullable
        found.append(RequestChange(name, "must be sent" if needed else "may be sent", needed))
    for name in new.keys() & old:
        nothing = [
            {*problem.source.null_values, *column.null_values}
            for problem, column in ((before, old[name]), (after, new[name]))
        ]
        found += [RequestChange(name, what, breaking) for what, breaking in _value_changes(old[name], new[name])]
        found += [
            RequestChange(name, what, breaking)
            for what, breaking in _spelling_changes(*nothing, nullable=new[name].nullable)
        ]
    rules = {rule.name: rule for rule in before.source.rules if {rule.left, rule.right} <= old.keys()}
    for rule in after.source.rules:
        if {rule.left, rule.right} <= new.keys() and rules.get(rule.name) != rule:
            found.append(
                RequestChange(
                    f"{rule.left}, {rule.right}", f"must hold: {rule.left} {rule.operator} {rule.right}", True
                )
            )
    return sorted(found, key=lambda change: (not change.breaking, change.column, change.what))


def _value_changes(old: Column, new: Column) -> Iterator[tuple[str, bool]]:
    if old.type != new.type:
        yield f"is {new.type}, was {old.type}", (old.type, new.type) != ("integer", "number")
    if old.nullable != new.nullable:
        yield ("may be left out", False) if new.nullable else ("must be sent", True)
    for end, word in (("min", "least"), ("max", "most")):
        was, now = getattr(old, end), getattr(new, end)
        if was != now:
            narrower = now is not None and (was is None or (now > was if end == "min" else now < was))
            yield f"at {word} {_number(now)}, was {_number(was)}", narrower
    if set(old.allowed or ()) != set(new.allowed or ()):
        yield from _allowed_changes(old, new)
    if old.pattern != new.pattern:
        yield f"pattern {new.pattern or 'anything'}, was {old.pattern or 'anything'}", new.pattern is not None


def _allowed_changes(old: Column, new: Column) -> Iterator[tuple[str, bool]]:
    if new.allowed is None:
        yield "any value is taken", False
    elif old.allowed is None:
        yield f"only {_listed(new.allowed)} are taken", True
    else:
        gone, more = set(old.allowed) - set(new.allowed), set(new.allowed) - set(old.allowed)
        if gone:
            yield f"no longer takes {_listed(gone)}", True
        if more:
            yield f"takes {_listed(more)}, too", False


def _spelling_changes(old: set[str], new: set[str], *, nullable: bool) -> Iterator[tuple[str, bool]]:
    if gone := old - new:
        yield f"{_listed(gone)} is a value now, not a missing one", True
    if more := new - old:
        yield f"{_listed(more)} is read as a missing value", not nullable


def _number(value: float | None) -> str:
    if value is None:
        return "anything"
    return str(int(value)) if value.is_integer() else str(value)


def _listed(values: Any) -> str:
    return ", ".join(repr(value) for value in sorted(values, key=str))


def _told(problem: Problem) -> dict[str, Any]:
    told = {name: deciding(source) for name, source in problem.sources.items()}
    across = problem.model_dump(mode="json", include={"label", "rows", "aggregations"}, exclude_none=True)
    return {"sources": told, **across}


def _flat(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; a list counts as one value, a rule or aggregation by its name."""
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        value = {one["name"]: one for one in value}
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{place}.{key}" if place else key, inner)
    elif value is not None and value != []:
        yield place, value
