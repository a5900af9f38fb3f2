"""Hints: the closest of what is known, however it was written."""

import pytest

from millrace.contract.errors import did_you_mean


@pytest.mark.parametrize(("word", "hint"), [("bmi", "BMI"), ("glucos", "Glucose"), ("AGE", "Age")])
def test_the_closest_is_named_as_it_is_written(word: str, hint: str) -> None:
    assert did_you_mean(word, ["Age", "BMI", "Glucose"]) == f'did you mean "{hint}"?'


def test_without_a_close_one_all_are_named() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
