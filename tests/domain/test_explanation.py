"""Factors are told by the user's own columns."""

from millrace.domain.explanation import Factor, top_factors


def test_features_of_one_column_are_summed_and_shared_ones_split() -> None:
    row = {"a": 1, "b": "x", "c": None}
    sources = [("a",), ("b",), ("b",), ("a", "c")]
    assert top_factors(row, [0.1, -1.0, 0.4, 0.5], sources, 5) == (
        Factor("b", "x", -0.6),
        Factor("a", 1, 0.35),
        Factor("c", None, 0.25),
    )


def test_only_so_many_are_told_and_none_that_moved_nothing() -> None:
    assert [one.column for one in top_factors({}, [0.0, 2.0, 1.0], [("a",), ("b",), ("c",)], 1)] == ["b"]
    assert top_factors({}, [0.0], [("a",)], 3) == ()
