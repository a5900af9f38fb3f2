"""Messages as a producer sends them, made from the contract: rows with a known truth, and what is no valid row.

The truth is kept apart from the way by which messages come: a key is computed as for a row of a file.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import numpy as np

from millrace.contract.problem import Problem
from millrace.contract.source import Column
from millrace.contract.topic import Topic
from millrace.domain.assigned_keys import key_assigner
from millrace.domain.row_keys import row_key
from millrace.simulation.breakages import break_rows, breakages
from millrace.simulation.drawing import null_texts
from millrace.simulation.files import valid_lines

AT_ONCE = 500
"""So many are made at a time: some visitors of a shop, who are done when the next ones come."""
REPEATED_SHARE = 0.02
UNREADABLE_SHARE = 0.3
"""Of the broken messages: those that are no row at all."""
Fields = dict[str, str | None]


@dataclass(frozen=True)
class Sent:
    """A message, and what must become of it.

    Attributes:
        kind: valid, broken (a row that breaks the contract), unreadable, or again: one that was sent before.
        key: Of the row in silver; None where it has none.
        row: What silver must hold; None where it must not hold it.
    """

    kind: str
    value: bytes | None
    key: str | None = None
    row: Mapping[str, Any] | None = None


def messages(problem: Problem, *, seed: int, first_row: int, broken_share: float) -> Iterator[Sent]:
    """Without an end. The same arguments give the same ones.

    Args:
        broken_share: Share of all that are no valid row.
        first_row: Keys and times rise from here.
    """
    topic, plain = problem.source.topic, _plain(problem)
    assert topic is not None, "only a source with a section `topic` has producers"
    broken = round(AT_ONCE * broken_share)
    ways = [way for way in breakages(plain) if way.columns]
    for number in count():
        start = first_row + number * AT_ONCE
        rng = np.random.default_rng([seed, start])
        lines = valid_lines(plain, rows=AT_ONCE, seed=seed, first_row=start)
        spoiled = [list(lines[place]) for place in rng.integers(len(lines), size=broken).tolist()]
        unreadable = round(broken * UNREADABLE_SHARE)
        break_rows(plain, spoiled, [*range(unreadable, broken)], rng, ways)
        found = [_row(plain, topic, line, "valid") for line in lines[: AT_ONCE - broken]]
        found += [_row(plain, topic, line, "broken") for line in spoiled[unreadable:]]
        found += [_unreadable(plain, topic, line, turn) for turn, line in enumerate(spoiled[:unreadable])]
        for place in rng.permutation(len(found)).tolist():
            yield found[place]
            if found[place].kind == "valid" and rng.random() < REPEATED_SHARE:
                yield Sent("again", found[place].value, found[place].key, found[place].row)


def _plain(problem: Problem) -> Problem:
    """The same, whose texts are as JSON writes numbers and times, whatever its files do."""
    source = problem.source.model_copy(update={"decimal": ".", "dates": "iso"})
    return problem.model_copy(update={"sources": {problem.source_name: source}})


def _row(problem: Problem, topic: Topic, line: list[str], kind: str) -> Sent:
    texts = dict(zip(problem.source.columns, line, strict=True))
    fields: Fields = {name: None if said in null_texts(problem, name) else said for name, said in texts.items()}
    valid = kind == "valid"
    row = {name: _typed(column, fields[name]) for name, column in problem.source.columns.items()} if valid else None
    return Sent(kind, _encoded(topic, _json_row(problem, fields)), _key(problem, fields, row), row)


def _unreadable(problem: Problem, topic: Topic, line: list[str], turn: int) -> Sent:
    """No row, in every known way in turn."""
    row = _json_row(problem, dict(zip(problem.source.columns, line, strict=True)))
    whole = _encoded(topic, row)
    ways: list[bytes | None] = [
        whole[:-3],
        b"\xff" + whole,
        json.dumps([row]).encode(),
        json.dumps("row").encode(),
        None,
    ]
    if topic.format == "json_envelope":
        ways += [json.dumps(row).encode(), json.dumps({"schema": {}, "payload": json.dumps(row)}).encode()]
    return Sent("unreadable", ways[turn % len(ways)])


def _key(problem: Problem, fields: Fields, row: Mapping[str, Any] | None) -> str | None:
    assign = key_assigner((*fields,), problem.source)
    if assign is not None:
        return assign([(*fields.values(),)])[0]
    # A broken version of a row leaves what silver holds of it.
    return None if row is None else row_key(problem.source, tuple(row[name] for name in problem.source.primary_key))


def _json_row(problem: Problem, fields: Fields) -> dict[str, Any]:
    return {name: _json(problem.source.columns[name], said) for name, said in fields.items()}


def _json(column: Column, said: str | None) -> Any:
    """A number or boolean as such where JSON writes it as the text does; all else as text."""
    if said is None or column.type in ("string", "timestamp"):
        return said
    try:
        value = json.loads(said)
    except ValueError:
        return said
    return value if json.dumps(value) == said else said


def _typed(column: Column, said: str | None) -> Any:
    """As silver holds it."""
    if said is None:
        return None
    match column.type:
        case "integer":
            return int(said)
        case "number":
            return float(said)
        case "boolean":
            return said == "true"
        case "timestamp":
            return datetime.fromisoformat(said)
    return said


def _encoded(topic: Topic, row: Mapping[str, Any]) -> bytes:
    return json.dumps(row if topic.format == "json" else {"schema": _SCHEMA, "payload": row}).encode()


_SCHEMA = {"type": "struct", "optional": False, "name": "millrace.simulated"}
"""As Kafka Connect's converter writes it, without its fields: nobody reads them."""
