"""Schedules: what the contract lets pass, Airflow's parser takes, too."""

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.cron import checked

VALID = ["@daily", "30 6 * * mon-fri", "*/15 0-6,22 1,15 jan-mar/2 0", "0 0 1 1 7", "59 23 31 12 *", "0 4 * * SUN"]
BROKEN = [
    "99 * * * *",
    "a b c d e",
    "* * * *",
    "* * * * * *",
    "@yearly",
    "*/0 * * * *",
    "5-1 * * * *",
    "* 24 * * *",
    "",
]


@pytest.mark.parametrize("text", VALID)
def test_a_schedule_that_is_one(text: str) -> None:
    assert checked(text) == text
    assert text.startswith("@") or croniter.is_valid(text)


@pytest.mark.parametrize("text", BROKEN)
def test_a_schedule_that_is_none_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no .*(schedule).*(@hourly|[0-9] to [0-9]+)"):
        checked(text)


PARTS = st.one_of(
    st.just("*"),
    st.integers(0, 70).map(str),
    st.tuples(st.integers(0, 70), st.integers(0, 70)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.integers(0, 70).map(lambda step: f"*/{step}"),
)
IN_RANGES = st.lists(PARTS, min_size=1, max_size=3).map(",".join)
ANY_TEXT = st.text("0123456789*/-,adefghijlmnoprstuvwy", min_size=1, max_size=6)


@given(st.lists(IN_RANGES | ANY_TEXT, min_size=5, max_size=5))
def test_what_passes_airflow_takes(fields: list[str]) -> None:
    text = " ".join(fields)
    try:
        checked(text)
    except ValueError:
        return
    assert croniter.is_valid(text), text
