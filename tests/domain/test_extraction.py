"""Whatever is committed when, and whoever is killed between any two steps: an extract leaves no gap."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.contract.problem import Problem
from millrace.domain.extraction import (
    Extracted,
    Look,
    before,
    begins_at,
    is_news,
    parsed,
    shape_of,
    text,
    went_back,
)
from tests.steps.transforming import problem_named

START = datetime(2026, 1, 1, tzinfo=UTC)
OVERLAP = 20


def extracted_problem(watermark: str | None = "seen_at", **more: object) -> Problem:
    content = problem_named("extraction").model_dump(exclude_defaults=True)
    [source] = content["sources"].values()
    source["columns"] = {**source["columns"], "version": {"type": "integer"}}
    told = {"watermark": watermark, "overlap": OVERLAP} if watermark else {}
    source |= {"format": "parquet", "extract": told | more}
    return Problem.model_validate(content)


PROBLEM = extracted_problem()


def landed(until: object, **more: object) -> Extracted:
    told = Extracted(1, "p", 1, False, shape_of(PROBLEM), text(until), "1:1", START.isoformat(), "run")  # type: ignore[arg-type]
    return replace(told, **more)  # type: ignore[arg-type]


@dataclass
class Row:
    """Written at one second, with a watermark of that second or an earlier one; seen from its commit on."""

    watermark: int
    committed: int


@dataclass
class World:
    """A table, a store that takes a number once, and a record; each step of an extract may be the last of an attempt.

    An attempt that was given up before it landed may do so later.
    """

    rows: list[Row]
    store: dict[int, tuple[Extracted, frozenset[int]]] = field(default_factory=dict)
    record: dict[int, Extracted] = field(default_factory=dict)
    given_up: list[tuple[Extracted, frozenset[int]]] = field(default_factory=list)

    def live_on(self) -> None:
        """Who was given up lands after all."""
        for extracted, chosen in self.given_up:
            self.store.setdefault(extracted.number, (extracted, chosen))
        self.given_up.clear()

    def extract(self, now: int, steps: int) -> bool:
        """One attempt that is killed after so many of its steps; whether it came to its end."""
        number = max(self.record, default=0) + 1
        last = self.record.get(number - 1)
        while number in self.store:
            if steps == 0:
                return False
            last = self.record[number] = self.store[number][0]
            number, steps = number + 1, steps - 1
        seen = {place: row for place, row in enumerate(self.rows) if row.committed <= now}
        look = look_at([row.watermark for row in seen.values()], now)
        begin = begins_at(last, PROBLEM)
        assert not went_back(begin, look)
        chosen = self._from(seen, begin)
        if not chosen or not is_news(told_of(chosen), last, PROBLEM):
            return True
        tail = self._from(seen, before(look.newest, PROBLEM))
        extracted = landed(look.newest, number=number, tail=told_of(tail), read_at=at(now).isoformat())
        if steps == 0:
            self.given_up.append((extracted, chosen))
            return False
        self.store.setdefault(number, (extracted, chosen))
        if steps == 1:
            return False
        self.record[number] = extracted
        return True

    @staticmethod
    def _from(seen: dict[int, Row], begin: object) -> frozenset[int]:
        return frozenset(place for place, row in seen.items() if begin is None or at(row.watermark) >= begin)  # type: ignore[operator]


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def look_at(watermarks: list[int], now: int) -> Look:
    newest = max((one for one in watermarks if one <= now), default=None)
    greatest = max(watermarks, default=None)
    told = [None if one is None else at(one) for one in (newest, greatest)]
    return Look(at(now), *told)


def told_of(chosen: frozenset[int]) -> str:
    return f"{len(chosen)}:{hash(chosen)}"


COMMITTED = st.integers(0, 60)
EARLIER = st.integers(0, OVERLAP)
"""How long a transaction takes at most: as long as the overlap."""
FUTURE = st.sampled_from([0, 0, 0, 0, 1_000_000])
ROWS = st.lists(
    st.builds(lambda at, ago, ahead: Row(at - ago + ahead, at), COMMITTED, EARLIER, FUTURE), min_size=3, max_size=30
)
ATTEMPTS = st.lists(st.tuples(COMMITTED, st.sampled_from([0, 1, 99, 99, 99]), st.booleans()), max_size=15)


@settings(max_examples=300)
@given(ROWS, ATTEMPTS, COMMITTED)
def test_every_row_that_was_committed_when_the_newest_extract_began_is_landed(
    rows: list[Row], attempts: list[tuple[int, int, bool]], end: int
) -> None:
    world = World(rows)
    for now, steps, lands in sorted(attempts):
        if lands:
            world.live_on()
        if world.extract(now, steps):
            there = {place for place, row in enumerate(rows) if row.committed <= now}
            assert there <= frozenset().union(*(chosen for _, chosen in world.store.values()))
    now = max([end, *(now for now, _, _ in attempts)])
    assert world.extract(now, 99)
    there = {place for place, row in enumerate(rows) if row.committed <= now}
    assert there <= frozenset().union(*(chosen for _, chosen in world.store.values()))
    # And once more, when nothing came, but that somebody wakes up: nothing is landed any more.
    world.live_on()
    before_it = world.store.copy()
    assert world.extract(now, 99)
    assert world.store == before_it
    # Of two files, the later tells of a later state.
    assert sorted(world.store) == [*range(1, len(world.store) + 1)]
    read = [extracted.read_at for _, (extracted, _) in sorted(world.store.items())]
    assert read == sorted(read)


def test_a_value_in_the_future_passes_over_no_row() -> None:
    world = World([Row(10, 10), Row(1_000_000, 11)])
    world.extract(12, 99)
    world.rows.append(Row(30, 30))
    world.extract(31, 99)
    assert set().union(*(chosen for _, chosen in world.store.values())) == {0, 1, 2}


@pytest.mark.parametrize(
    "last",
    [
        None,
        landed(None),
        landed(at(5), shape="another"),
        landed(datetime(1, 1, 1, tzinfo=UTC)),
    ],
    ids=["first", "no level", "of another table", "before all time"],
)
def test_every_row_is_read_where_no_level_tells_otherwise(last: Extracted | None) -> None:
    assert begins_at(last, PROBLEM) is None


def test_a_level_counts_for_what_was_asked_for_then() -> None:
    last = landed(at(100))
    assert begins_at(last, PROBLEM) == at(100 - OVERLAP)
    assert begins_at(last, PROBLEM, full=True) is None
    for other in (extracted_problem(table="crm.people"), extracted_problem("version"), extracted_problem(None)):
        assert begins_at(last, other) is None
        assert is_news(last.tail, last, other)
    # How far back is read decides nothing about what is there.
    assert begins_at(last, extracted_problem(overlap=0)) == at(100)


@pytest.mark.parametrize("watermark", [0, -7, 2**62, at(3), datetime(9999, 12, 30, tzinfo=UTC)])
def test_a_watermark_is_recorded_as_text_and_read_as_it_was(watermark: int | datetime) -> None:
    said = text(watermark)
    assert said is not None
    assert parsed(said) == watermark


def test_a_table_whose_newest_row_was_deleted_did_not_go_back_and_one_that_was_restored_did() -> None:
    begin = begins_at(landed(at(100)), PROBLEM)
    assert not went_back(begin, look_at([100 - OVERLAP], 200))
    assert went_back(begin, look_at([100 - OVERLAP - 1], 200))
    assert not went_back(begin, look_at([], 200))
    assert not went_back(None, look_at([1], 200))


def test_whole_numbers_go_back_by_values() -> None:
    numbered = extracted_problem("version")
    assert before(50, numbered) == 50 - OVERLAP
    assert begins_at(replace(landed(50), shape=shape_of(numbered)), numbered) == 50 - OVERLAP
