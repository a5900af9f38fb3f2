"""What is unlike every training row is told; what is like one is not."""

from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.loading import get_problem
from millrace.domain.reference import reference
from millrace.domain.training_range import compile_look
from millrace.settings import ROOT
from tests.domain.sample_package import sample_columns

LOAN = get_problem("loan", ROOT / "include" / "problems")
numbers = st.floats(-1e9, 1e9)


@given(st.lists(st.none() | numbers, min_size=1).filter(lambda seen: any(v is not None for v in seen)), numbers)
def test_a_number_is_told_exactly_if_it_lies_beyond_all_that_were_seen(seen: list[float | None], value: float) -> None:
    known = [one for one in seen if one is not None]
    told = {"edges": [], "counts": [], "missing": 0, "low": min(known), "high": max(known)}
    found = compile_look({"columns": {"a": told}})({"a": value})
    assert bool(found) == (not min(known) <= value <= max(known))


def test_the_rows_of_training_are_like_themselves() -> None:
    columns = sample_columns(LOAN, rows=300)
    look = compile_look(reference(LOAN, columns))
    names = [*columns]
    for values in zip(*(columns[name].tolist() for name in names), strict=True):
        assert look(dict(zip(names, values, strict=True))) == []


def test_a_category_that_no_row_named_is_told_and_a_missing_value_is_not() -> None:
    look = compile_look({"columns": {"kind": {"levels": {"a": 3, "b": 1}, "other": 0, "missing": 0}}})
    assert look({"kind": "a"}) == look({"kind": None}) == look({}) == []
    (told,) = look({"kind": "c"})
    assert (told.kind, told.value, told.expected) == ("unseen_category", "c", "one of a, b")


def test_nothing_is_said_where_the_reference_cannot_tell() -> None:
    # More levels than it names; ends that an earlier version did not record.
    many = {"levels": {"a": 3}, "other": 7, "missing": 0}
    look = compile_look({"columns": {"kind": many, "a": {"edges": [1.0], "counts": [1, 1], "missing": 0}}})
    assert look({"kind": "z", "a": 1e9}) == []
