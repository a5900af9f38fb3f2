"""The disk of the object store is full in the middle of the work: the task fails and says so, and nothing shows."""

import random
import uuid
from pathlib import Path

import pytest

from millrace.adapters import lake
from millrace.adapters.object_store import put_landing
from millrace.contract import names
from millrace.contract.problem import Problem
from tests.faults import sales
from tests.faults.conftest import Told
from tests.faults.small_store import small_store
from tests.faults.victims import elsewhere
from tests.steps.transforming import HEADER, problem_named, removed_afterwards
from tests.tables import fingerprints, gold_keys, served_rows

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
ROWS = 60_000
FULL = "(?i)storage.?full|free drive threshold|no space|507"


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """What the tables hold where there is room."""
    with sales.sales() as problem:
        land(problem)
        sales.ingest(problem, "file")
        sales.transform(problem, "file")
        return fingerprints(problem)


def test_a_disk_that_is_full_loses_and_shows_nothing(expected: dict[str, str], tmp_path: Path, told: Told) -> None:
    problem = problem_named(uuid.uuid4().hex[:8])
    with small_store(tmp_path) as store, elsewhere({"MILLRACE_S3_ENDPOINT": store.settings.s3_url}) as there:
        try:
            there.run(land, problem)
            with store.nearly_full():
                with pytest.raises(Exception, match=FULL):
                    there.run(sales.ingest, problem, "full")
                assert there.run(rows_in_bronze, problem) == 0
            there.run(sales.ingest, problem, "file")
            with store.nearly_full():
                with pytest.raises(Exception, match=FULL):
                    there.run(sales.transform, problem, "full")
                assert (there.run(gold_keys, problem), served_rows(problem)) == (set(), {})
            there.run(sales.transform, problem, "file")
            assert there.run(fingerprints, problem) == expected
        finally:
            there.run(clear, problem)
    told("disk of the object store full while bronze, then silver, is written", "nothing showed; tables as undisturbed")


def land(problem: Problem) -> None:
    """A file that no format makes small."""
    chance = random.Random(1)
    lines = (f"k{n},2026-01-01,{n % 90},{chance.randbytes(60).hex()},{n},{n % 2}" for n in range(ROWS))
    put_landing(f"{problem.landing_prefix}large.csv", "\n".join([HEADER, *lines, ""]).encode())


def rows_in_bronze(problem: Problem) -> int:
    table = names.bronze_files(problem.source_name)
    return lake.count(table) if lake.table_exists(table) else 0


def clear(problem: Problem) -> None:
    with removed_afterwards(problem):
        sales.forget(problem)
