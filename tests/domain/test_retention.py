"""Expiry takes what nobody needs, and never what a reader goes on from."""

from hypothesis import given
from hypothesis import strategies as st

from millrace.domain.retention import Aged, expirable

LEVELS = ("a", "b")
Table = tuple[list[Aged], set[int], set[int | None], int]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A main of snapshots 0 … n-1 with side branches, what refs stand at, what readers need, and a limit in time."""
    main = draw(st.integers(1, 12))
    levels = [draw(st.frozensets(st.sampled_from(LEVELS))) for _ in range(main)]
    snapshots = [Aged(n, n - 1 if n else None, n * 10, levels[n]) for n in range(main)]
    for extra in range(draw(st.integers(0, 4))):
        parent = draw(st.integers(0, main - 1))
        snapshots.append(Aged(100 + extra, parent, parent * 10 + 5, frozenset(LEVELS)))
    ids = st.sampled_from([one.snapshot_id for one in snapshots])
    refs = draw(st.sets(ids, max_size=3)) | {main - 1}
    needed: set[int | None] = set(draw(st.sets(st.integers(0, main - 1) | st.none(), max_size=2)))
    return snapshots, refs, needed, draw(st.integers(0, 150))


def left(table: Table) -> dict[int, Aged]:
    snapshots, refs, needed, before = table
    main = max(one.snapshot_id for one in snapshots if one.snapshot_id < 100)
    gone = expirable(snapshots, refs=refs, main=main, needed=needed, before_ms=before)
    assert len(gone) == len(set(gone))
    return {one.snapshot_id: one for one in snapshots if one.snapshot_id not in gone}


def history(table: dict[int, Aged], head: int) -> list[int]:
    found: list[int] = []
    at: int | None = head
    while at in table:
        found.append(at)
        at = table[at].parent_id
    return found


def newest_with(table: dict[int, Aged], level: str, head: int) -> int | None:
    return next((n for n in history(table, head) if level in table[n].levels), None)


@given(tables())
def test_refs_and_what_is_young_stay(table: Table) -> None:
    snapshots, refs, _, before = table
    kept = left(table)
    assert refs <= kept.keys()
    assert {one.snapshot_id for one in snapshots if one.timestamp_ms >= before} <= kept.keys()


@given(tables())
def test_a_level_is_found_where_it_was(table: Table) -> None:
    snapshots = {one.snapshot_id: one for one in table[0]}
    head = max(n for n in snapshots if n < 100)
    for level in LEVELS:
        assert newest_with(left(table), level, head) == newest_with(snapshots, level, head)


@given(tables())
def test_a_reader_that_is_behind_finds_an_unbroken_way_back(table: Table) -> None:
    snapshots, _, needed, _ = table
    head = max(one.snapshot_id for one in snapshots if one.snapshot_id < 100)
    found = history(left(table), head)
    for reader in needed:
        assert (reader if reader is not None else 0) in found


@given(tables())
def test_what_main_was_at_the_limit_can_still_be_read(table: Table) -> None:
    snapshots, _, _, before = table
    then = [one.snapshot_id for one in snapshots if one.snapshot_id < 100 and one.timestamp_ms < before]
    assert not then or max(then) in left(table)


@given(tables())
def test_what_nobody_needs_goes(table: Table) -> None:
    snapshots, refs, _, _ = table
    head = max(one.snapshot_id for one in snapshots if one.snapshot_id < 100)
    everything = {one.snapshot_id: one for one in snapshots}
    holders = {newest_with(everything, level, head) for level in LEVELS}
    deepest = min([head, *(n for n in holders if n is not None)])
    kept = left((snapshots, refs, set(), 10_000))
    assert kept.keys() == refs | set(range(deepest, head + 1))
