"""The object store is slow, or answers 503, now and then or always: to our own processes and to Spark alike."""

from collections.abc import Iterator

import pytest

from millrace.adapters import lake, object_store
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps.lake_tables import lake_tables
from tests.faults import sales
from tests.faults.conftest import Told
from tests.faults.faulty_store import FaultyStore, faulty_store
from tests.faults.victims import Elsewhere, elsewhere
from tests.tables import fingerprints

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
REFUSED = "(?i)slow_?down|503|reduce your request rate"
LATE_SECONDS = 4.0
"""Longer than the client of AWS in C++ waits, unless it is told to."""


@pytest.fixture
def problem() -> Iterator[Problem]:
    """The first file is served, and the second has landed."""
    with sales.sales() as problem:
        sales.take_in(problem, 0)
        sales.land(problem, 1)
        yield problem


def behind(store: FaultyStore) -> dict[str, str]:
    return {"MILLRACE_S3_ENDPOINT": store.address}


def ingest_and_transform(there: Elsewhere, problem: Problem) -> None:
    there.run(sales.ingest, problem, "file-1")
    there.run(sales.transform, problem, "file-1")


def test_a_store_that_now_and_then_answers_503_is_asked_again(problem: Problem, calm: sales.Calm, told: Told) -> None:
    known: set[str] = set()

    def at_first(asked: str) -> bool:
        """Each fourth request, when it is made for the first time."""
        new = asked not in known and not completes_upload(asked)
        known.add(asked)
        return new and len(known) % 4 == 0

    with faulty_store(refuses=at_first) as store, elsewhere(behind(store)) as there:
        ingest_and_transform(there, problem)
    assert store.refused > 10, "the store was not asked through the proxy"
    assert fingerprints(problem) == calm[1]
    told("object store answers each fourth request 503", "they are made again; tables as undisturbed")


def completes_upload(asked: str) -> bool:
    return asked.startswith("POST ") and "uploadId=" in asked


def test_a_refused_completion_of_an_upload_fails_the_task_and_the_next_try_succeeds(
    problem: Problem, calm: sales.Calm, told: Told
) -> None:
    """Arrow's client asks again, is told that the upload is complete, and takes that for the answer from before."""
    refused: list[str] = []

    def the_first_of_rows(asked: str) -> bool:
        if refused or not completes_upload(asked) or ".parquet" not in asked:
            return False
        refused.append(asked)
        return True

    with faulty_store(refuses=the_first_of_rows) as store, elsewhere(behind(store)) as there:
        with pytest.raises(OSError, match="CompleteMultipartUpload"):
            there.run(sales.ingest, problem, "refused")
        assert fingerprints(problem) == calm[0]
        ingest_and_transform(there, problem)
    assert fingerprints(problem) == calm[1]
    told("object store answers 503 once, to the end of an upload", "the task fails, the next try succeeds")


def test_a_slow_store_makes_slow(problem: Problem, calm: sales.Calm, told: Told) -> None:
    def late_to_uploads(asked: str) -> float:
        return LATE_SECONDS if asked.startswith("POST ") else 0.0

    with faulty_store(delay_seconds=late_to_uploads) as store, elsewhere(behind(store)) as there:
        ingest_and_transform(there, problem)
    assert store.requests > 10, "the store was not asked through the proxy"
    assert fingerprints(problem) == calm[1]
    told(f"object store answers {LATE_SECONDS:.0f} s late to each upload", "tables as undisturbed")


def test_a_store_that_always_answers_503_is_named_and_nothing_shows(
    problem: Problem, calm: sales.Calm, told: Told
) -> None:
    with faulty_store(refuses=lambda _asked: True) as store, elsewhere(behind(store)) as there:
        with pytest.raises(MillraceError) as unreachable:  # the first task of each stage
            there.run(object_store.ping)
        assert store.address in unreachable.value.place
        assert "503" in unreachable.value.found
        with pytest.raises(Exception, match=REFUSED):
            there.run(sales.ingest, problem, "refused")
        assert fingerprints(problem) == calm[0]
        sales.ingest(problem, "file-1")
        with pytest.raises(Exception, match=REFUSED):
            there.run(sales.transform, problem, "refused")
    assert fingerprints(problem) == calm[0] | {"bronze": calm[1]["bronze"]}
    sales.transform(problem, "file-1")
    assert fingerprints(problem) == calm[1]
    told("object store answers every request 503", "the stage fails and says so, nothing shows; tables as undisturbed")


def test_spark_is_refused_when_it_writes(problem: Problem, calm: sales.Calm, told: Told) -> None:
    sales.ingest(problem, "file-1")
    heads = [lake.head(table) for table in lake_tables(problem)]
    with (
        faulty_store(refuses=lambda asked: not asked.startswith("GET ")) as store,
        sales.session(store.address) as spark,
        pytest.raises(Exception, match=REFUSED),
    ):
        sales.built(spark, problem, "refused")
    assert store.refused, "Spark did not ask through the proxy"
    assert [lake.head(table) for table in lake_tables(problem)] == heads
    sales.transform(problem, "file-1")
    assert fingerprints(problem) == calm[1]
    told("object store answers 503 to Spark when it writes", "the task fails, nothing shows; tables as undisturbed")
