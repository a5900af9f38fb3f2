"""Files of events with a known truth: visitors, their visits, and which of the things they look at they come back for.

A visit looks at a thing once, so whether the event of the label follows is decided by one draw, with a probability that
depends only on what a model may know: inputs of the row itself, and aggregations of strictly earlier events.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from millrace.contract.aggregations import EventLabel
from millrace.contract.problem import Problem
from millrace.simulation.breakages import break_rows
from millrace.simulation.drawing import FIRST_EVENT, draw_column, null_texts, numbered, steady, text
from millrace.simulation.earlier_events import EarlierEvents
from millrace.simulation.event_truth import BLIND, EventTruth, event_truth
from millrace.simulation.simulated_file import SimulatedFile, as_file
from millrace.simulation.truth import auc

EVENTS_A_VISITOR = 15
EVENTS_A_VISIT = 5
THINGS = 120
MISSING_SHARE = 0.06
SAMPLE_EVENTS = 3_000
"""Events of the blind world from which the truth learns what inputs look like."""
SPAN_SHARE = 120
"""Events come so often that this many fall into the label's window."""


@dataclass(frozen=True)
class Played:
    """Events in the order of their times; of those that are predicted for, the truth.

    Attributes:
        probability: Of the label's event to follow; NaN for rows that are not predicted for.
        follows: Whether it does.
        known: Whether the file itself shows the end of the row's window.
    """

    events: list[dict[str, Any]]
    times: list[int]
    inputs: list[dict[str, Any] | None]
    probability: np.ndarray
    follows: np.ndarray
    known: np.ndarray


def simulate_events(problem: Problem, *, rows: int, seed: int, broken_share: float, first_row: int) -> SimulatedFile:
    """Make a file of a problem whose label is an event; see `files.simulate_file`."""
    rng = np.random.default_rng([seed, first_row])
    broken = round(rows * broken_share)
    played = play(problem, _truth(problem), rng, rows - broken, first_row)
    lines = _lines(problem, played, rng)
    # Broken rows tell nobody anything, so they are more rows, not fewer events.
    spoiled = [list(lines[place]) for place in rng.integers(len(lines), size=broken).tolist()]
    counts = break_rows(problem, spoiled, list(range(broken)), rng)
    for line in spoiled:
        lines.insert(int(rng.integers(len(lines) + 1)), line)
    judged = played.known & ~np.isnan(played.probability)
    return SimulatedFile(
        content=as_file(problem, lines),
        rows=rows,
        valid_rows=rows - broken,
        quarantined_rows=broken,
        superseded_rows=0,
        expected_by_reason=counts,
        truth_auc=auc(played.follows[judged], played.probability[judged]),
    )


def event_lines(problem: Problem, rng: np.random.Generator, rows: int, first_row: int) -> list[list[str]]:
    """Events as texts in the order of the source's columns, none of them broken."""
    return _lines(problem, play(problem, _truth(problem), rng, rows, first_row), rng)


def _truth(problem: Problem) -> EventTruth:
    sample = play(problem, BLIND, steady(problem.problem, "sample"), SAMPLE_EVENTS, 0)
    return event_truth(problem, [inputs for inputs in sample.inputs if inputs is not None])


def play(problem: Problem, truth: EventTruth, rng: np.random.Generator, count: int, first_row: int) -> Played:
    """The first `count` events of a world whose visitors, visits and things no file of another first row has."""
    label = problem.label
    assert isinstance(label, EventLabel)
    earlier = {one.name: EarlierEvents(one) for one in problem.aggregations}
    coming = [(at, number, event, False) for number, (at, event) in enumerate(_looks(problem, rng, count, first_row))]
    heapq.heapify(coming)
    number = len(coming)
    found: list[tuple[int, dict[str, Any], dict[str, Any] | None, float, bool]] = []
    while coming and len(found) < count:
        at, _, event, answers = heapq.heappop(coming)
        inputs, probability, follows = None, float("nan"), False
        if not answers:
            inputs = {**event, **{name: one.told(event, at) for name, one in earlier.items()}}
            probability = truth.probability(inputs)
            follows = bool(rng.random() < probability)
        if follows:
            number += 1
            answer = event | {label.event.column: label.event.any_of[0]}
            heapq.heappush(coming, (at + int(rng.integers(1, label.within_seconds + 1)), number, answer, True))
        for one in earlier.values():
            one.happened(event, at)
        found.append((at, event, inputs, probability, follows))
    times = [at for at, *_ in found]
    over = np.array(times) + label.within_seconds < times[-1]
    probabilities, follow = np.array([one[3] for one in found]), np.array([one[4] for one in found])
    return Played([one[1] for one in found], times, [one[2] for one in found], probabilities, follow, over)


def _looks(
    problem: Problem, rng: np.random.Generator, count: int, first_row: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What visitors look at: time and event, visit by visit."""
    label, source = problem.label, problem.source
    assert isinstance(label, EventLabel)
    visit, owner = label.same[0], problem.training.split.group
    named = [name for name in source.columns if name in _entities(problem) and source.columns[name].allowed is None]
    pools = {name: _pool(problem, name, count, first_row) for name in named}
    of_thing = {
        name: _values(problem, name, rng, THINGS)
        for name in source.columns
        if name not in pools and name not in (label.event.column, source.event_timestamp)
    }
    popularity = 1 / np.arange(1, THINGS + 1)
    kinds = _kinds(problem)
    second = label.within_seconds / SPAN_SHARE
    start, visits = FIRST_EVENT + int(first_row * second), -(-count // EVENTS_A_VISIT)
    for number in range(visits):
        at = start + int(rng.integers(0, max(1, int(count * second))))
        visitor = int(rng.integers(max(1, count // EVENTS_A_VISITOR)))
        looked = 1 + min(int(rng.poisson(EVENTS_A_VISIT - 1)), THINGS - 1)
        for thing in rng.choice(THINGS, size=looked, replace=False, p=popularity / popularity.sum()).tolist():
            at += int(rng.integers(0, max(2, label.within_seconds // 40)))
            places = {name: number if name == visit else visitor if name == owner else thing for name in pools}
            event = {name: pools[name][place] for name, place in places.items()}
            event |= {name: values[thing] for name, values in of_thing.items()}
            event[label.event.column] = kinds[int(rng.integers(len(kinds)))]
            yield at, event


def _entities(problem: Problem) -> set[str]:
    """Columns that events share: keys of aggregations and of the label, and the group that folds are told by."""
    label, group = problem.label, problem.training.split.group
    assert isinstance(label, EventLabel)
    shared = {name for one in problem.aggregations for name in one.key} | {*label.same}
    return (shared | ({group} if group else set())) - {label.event.column}


def _pool(problem: Problem, name: str, count: int, first_row: int) -> list[Any]:
    found: list[Any] = numbered(
        name, problem.source.columns[name], np.arange(first_row, first_row + count + THINGS)
    ).tolist()
    return found


def _values(problem: Problem, name: str, rng: np.random.Generator, rows: int) -> list[Any]:
    column = problem.source.columns[name]
    values = draw_column(problem, name, rng, rows, np.full(rows, FIRST_EVENT)).tolist()
    missing = column.nullable and null_texts(problem, name)
    return [None if missing and rng.random() < MISSING_SHARE else value for value in values]


def _kinds(problem: Problem) -> list[Any]:
    """The kinds of events that are predicted for; where all are, any but the label's."""
    label = problem.label
    assert isinstance(label, EventLabel)
    if problem.rows is not None and problem.rows.column == label.event.column:
        return [kind for kind in problem.rows.any_of if kind not in label.event.any_of]
    known = problem.source.columns[label.event.column].allowed or ("other",)
    return [kind for kind in known if kind not in label.event.any_of]


def _lines(problem: Problem, played: Played, rng: np.random.Generator) -> list[list[str]]:
    columns = []
    for name in problem.source.columns:
        if name == problem.source.event_timestamp:
            columns.append(text(problem, name, np.array(played.times)))
            continue
        values = [event[name] for event in played.events]
        nulls = null_texts(problem, name)
        filled = np.array([value for value in values if value is not None], dtype=object)
        said = iter(text(problem, name, filled))
        columns.append([nulls[int(rng.integers(len(nulls)))] if value is None else next(said) for value in values])
    return [list(line) for line in zip(*columns, strict=True)]
