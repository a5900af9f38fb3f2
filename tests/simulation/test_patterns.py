import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.errors import MillraceError
from millrace.simulation.patterns import Pattern

SUPPORTED = ["A[0-9]{8}", r"[A-F]{2}-\d{6}", r"x?[a-c_\-]{3,9}\.y+", r"\w{4}", "k.{5}"]


@pytest.mark.parametrize("pattern", SUPPORTED)
@given(first=st.integers(0, 70), second=st.integers(0, 70))
def test_each_number_has_a_text_of_its_own_that_matches(pattern: str, first: int, second: int) -> None:
    texts = Pattern(pattern, "key")
    one, other = texts.text(first), texts.text(second)
    assert re.fullmatch(pattern, one)
    assert (one == other) == (first == second)


@pytest.mark.parametrize("pattern", ["(ab)+", "a|b", "^a$", "[^a]", "(?i)a"])
def test_what_is_not_supported_names_the_column(pattern: str) -> None:
    with pytest.raises(MillraceError, match="cannot make texts") as raised:
        Pattern(pattern, "visit_id")
    assert "visit_id" in raised.value.place


def test_a_key_that_runs_out_says_so() -> None:
    with pytest.raises(MillraceError) as raised:
        Pattern("[0-9]{2}", "key").text(100)
    assert raised.value.expected == "a row below 100"
