"""Keys of rows that have none: the same for the same rows, another for each of several equal ones."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.source import Column, Source
from millrace.domain.assigned_keys import AssignKeys, key_assigner
from millrace.domain.raw_rows import Values

TEXT = Column(type="string", nullable=True)
SOURCE = Source(
    primary_key=("id",),
    assigned_key="row_content",
    assigned_time="file_modified",
    columns={"id": Column(type="string"), "a": TEXT, "b": TEXT},
)


def assigner(*header: str, source: Source = SOURCE) -> AssignKeys:
    assign = key_assigner(header, source)
    assert assign is not None
    return assign


def test_equal_rows_are_counted_whatever_the_order_of_columns() -> None:
    first, second = assigner("a", "b")([("x", "y"), ("x", "y")])
    other, swapped = assigner("b", "a")([("y", "x"), ("x", "y")])
    assert first is not None
    assert second == first.removesuffix("1") + "2"
    assert other == first
    assert str(swapped).split(":")[0] != first.split(":")[0]


def test_a_column_that_is_ignored_changes_no_key() -> None:
    assert assigner("a")([("x",), ("x",)]) == assigner("note", "a")([("one", "x"), ("other", "x")])


def test_a_null_is_another_value_than_the_empty_text_and_a_row_without_values_has_no_key() -> None:
    null, empty, malformed = assigner("a")([(None,), ("",), None])
    assert null != empty
    assert malformed is None


def test_a_source_that_declares_no_key_at_all_is_given_keys() -> None:
    source = Source(assigned_key="row_content", assigned_time="file_modified", columns={"a": TEXT})
    assert len({*assigner("a", source=source)([("1",), ("1",), ("2",)])}) == 3


@pytest.mark.parametrize(
    ("header", "source"),
    [(("id", "a"), SOURCE), (("a", "b"), SOURCE.model_copy(update={"assigned_key": None}))],
    ids=["the file has its key", "none is asked for"],
)
def test_no_key_is_assigned(header: tuple[str, ...], source: Source) -> None:
    assert key_assigner(header, source) is None


@given(st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=12))
def test_counts_are_those_of_the_whole_file_however_it_is_cut_into_batches(batches: list[list[int]]) -> None:
    assign, so_far = assigner("a"), Counter[int]()
    for batch in batches:
        rows: list[Values | None] = [(str(number),) for number in batch]
        for number, key in zip(batch, assign(rows), strict=True):
            so_far[number] += 1
            assert str(key).endswith(f":{so_far[number]}")
