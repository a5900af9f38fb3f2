"""What a report may show of an error: all of ours, and of others no word that could quote a row."""

import pytest
from airflow.sdk.exceptions import AirflowFailException

from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.orchestration.failures import failure_told
from millrace.orchestration.verdicts import no_retry_of_verdicts

PARTS = {"place": "table silver.x", "found": "12 %", "expected": "10 %", "fix": "mend the file"}


def raised_in_a_task(error: Exception) -> BaseException:
    with pytest.raises(Exception, match=r"\S") as caught, no_retry_of_verdicts():
        raise error
    return caught.value


def test_a_verdict_is_told_in_full_as_one() -> None:
    told = failure_told(raised_in_a_task(VerdictError("The check failed", **PARTS)))
    assert told["is_verdict"]
    assert {name: told[name] for name in ("problem", *PARTS)} == {"problem": "The check failed", **PARTS}


@pytest.mark.parametrize("kind", [MillraceError, LostRaceError])
def test_a_fault_of_ours_is_told_in_full_as_no_verdict(kind: type[MillraceError]) -> None:
    told = failure_told(raised_in_a_task(kind("Broken", **PARTS)))
    assert not told["is_verdict"]
    assert told["fix"] == "mend the file"


def test_what_a_dag_says_itself_is_told() -> None:
    assert failure_told(AirflowFailException("Nothing was moved"))["problem"] == "Nothing was moved"


@pytest.mark.parametrize("error", [ValueError("row 7: Ann, 555-1234"), "row 7: Ann, 555-1234", None])
def test_of_another_error_the_kind_alone_is_told(error: object) -> None:
    told = failure_told(error)
    assert "555" not in str(told)
    assert "log" in told["problem"]
    assert not told["is_verdict"]
