"""A file is judged by itself: what lands beside it, or after it, makes it no better."""

from hypothesis import given
from hypothesis import strategies as st

from millrace.domain.batches import SMALL_FILE_ROWS, FileCount, Landing, Span, batch_id, digest, over_limit

LIMIT = 0.25
COUNTS = st.integers(0, 400).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, rows)))
FILES = st.lists(COUNTS, max_size=30).map(
    lambda counts: [FileCount(Landing(f"{n}.csv", n), rows, broken) for n, (rows, broken) in enumerate(counts)]
)
SPAN = Span(after=1, until=2, sequence=3, rebuild=False, rejected="")


@given(FILES, FILES)
def test_good_files_hide_no_bad_one(files: list[FileCount], others: list[FileCount]) -> None:
    large = [file for file in files if file.rows >= SMALL_FILE_ROWS]
    elsewhere = [FileCount(Landing("later/" + f.file.path, f.file.landed), f.rows, f.quarantined) for f in others]
    alone = {file.file for file in over_limit(large, LIMIT)}
    assert alone == {file.file for file in large if file.quarantined > LIMIT * file.rows}
    assert alone <= {file.file for file in over_limit(large + elsewhere, LIMIT)}


@given(FILES)
def test_small_files_are_refused_only_together(files: list[FileCount]) -> None:
    small = [file for file in files if file.rows < SMALL_FILE_ROWS]
    read, broken = sum(file.rows for file in small), sum(file.quarantined for file in small)
    assert bool(over_limit(small, LIMIT)) == (broken > LIMIT * read)


@given(FILES)
def test_the_worst_file_is_named_first(files: list[FileCount]) -> None:
    shares = [file.share for file in over_limit(files, LIMIT)]
    assert shares == sorted(shares, reverse=True)
    assert all(share > LIMIT for share in shares)


def test_a_batch_is_known_by_its_rows_its_contract_and_the_rules_it_broke() -> None:
    known = batch_id("silver", "abc", SPAN, ["rows:min_rows", "range:size"])
    assert known == batch_id("silver", "abc", SPAN, ["range:size", "rows:min_rows", "range:size"])
    others = {
        batch_id("gold", "abc", SPAN, ["range:size", "rows:min_rows"]),
        batch_id("silver", "abd", SPAN, ["range:size", "rows:min_rows"]),
        batch_id("silver", "abc", SPAN, ["range:size"]),
        batch_id("silver", "abc", Span(1, 2, 4, False, ""), ["range:size", "rows:min_rows"]),
        batch_id("silver", "abc", Span(1, 2, 3, False, digest([Landing("a", 1)])), ["range:size", "rows:min_rows"]),
    }
    assert len(others) == 5
    assert known not in others


def test_no_file_has_no_digest() -> None:
    assert not digest([])
    assert digest([Landing("a", 1), Landing("b", 2)]) == digest([Landing("b", 2), Landing("a", 1)])
