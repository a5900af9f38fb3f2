"""Two at work on the same problem at once: two runs, or the building of the past or of a new contract during live."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event

import pytest
from psycopg.sql import SQL
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from millrace.adapters import lake, warehouse
from millrace.contract import names
from millrace.contract.errors import LostRaceError
from millrace.contract.problem import Problem
from millrace.steps.contract_in_force import apply_contract
from millrace.steps.rebuild_as_of import rebuild_as_of
from tests.awaiting import await_that
from tests.faults import sales
from tests.faults.conftest import Told
from tests.faults.victims import PATIENCE_SECONDS, a_victim
from tests.faults.worker import take_in
from tests.tables import fingerprints, gold_keys

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
LOOK_SECONDS = 0.5


@pytest.fixture
def problem() -> Iterator[Problem]:
    """It serves the first file."""
    with sales.sales() as problem:
        sales.take_in(problem, 0)
        yield problem


def test_two_runs_at_once(problem: Problem, calm: sales.Calm, told: Told) -> None:
    with readers_miss_nothing(problem):
        sales.land(problem, 1)
        with a_victim(take_in, problem) as one, a_victim(take_in, problem) as other:
            for each in (one, other):
                each.join(PATIENCE_SECONDS)
                assert each.exitcode == 0
    assert fingerprints(problem) == calm[1]
    told("two runs at once on the same file", "tables as undisturbed")


def test_the_past_is_built_while_files_come(problem: Problem, calm: sales.Calm, told: Told) -> None:
    gold, then = names.gold(problem.problem), datetime.now(UTC)
    rows_then = gold_rows(gold)
    with readers_miss_nothing(problem):
        sales.land(problem, 1)
        with a_victim(take_in, problem) as live:
            tag = past_built(problem, then)
            live.join(PATIENCE_SECONDS)
            assert live.exitcode == 0
    assert fingerprints(problem) == calm[1]
    assert gold_rows(gold, tag) == rows_then
    told("`rebuild --as-of` while a file is taken in", "the past as it was, tables as undisturbed")


@retry(retry=retry_if_exception_type(LostRaceError), stop=stop_after_attempt(5), reraise=True)
def past_built(problem: Problem, at: datetime) -> str:
    """Its tag. A transform that publishes meanwhile is told, and nothing is tagged: then one does it again."""
    with sales.session() as spark:
        return str(rebuild_as_of(spark, problem, at)["tag"])


def gold_rows(table: str, ref: str = lake.MAIN) -> list[str]:
    """The rows at a ref, but for the numbers that tell in how many steps they came there."""
    return sorted(str(row) for row in lake.read(table, ref=ref).drop_columns(["gold_seq"]).to_pylist())


def test_a_contract_is_applied_while_files_come(problem: Problem, told: Told) -> None:
    with sales.sales() as twin:
        sales.take_in(twin, 0)
        new_twin = applied(twin)
        sales.transform(new_twin, "rebuild")
        sales.take_in(new_twin, 1)
        expected = fingerprints(new_twin, numbered=False)
    silver, new = names.silver(problem.source_name), applied(problem)
    with readers_miss_nothing(problem), a_victim(take_in, new) as rebuilding:
        await_that("silver is being built anew", lambda: lake.stray_branches(silver, -1), seconds=PATIENCE_SECONDS)
        sales.land(problem, 1)
        with a_victim(take_in, new) as live:
            for each in (rebuilding, live):
                each.join(PATIENCE_SECONDS)
                assert each.exitcode == 0
    assert fingerprints(new, numbered=False) == expected
    told("`apply` rebuilds while a file is taken in", "readers never missed a row, tables as one after the other")


def applied(problem: Problem) -> Problem:
    new = sales.changed(problem)
    apply_contract(new, actor="tests", reason="wider limits")
    return new


def served_keys(problem: Problem) -> set[str]:
    """Keys of the serving table, whatever its other columns are by now."""
    query = SQL("SELECT row_key FROM {}").format(warehouse.serving_table(problem.problem))
    with warehouse.connect() as connection:
        return {key for (key,) in connection.execute(query)}


KEYS: dict[str, Callable[[Problem], set[str]]] = {"gold": gold_keys, "warehouse": served_keys}


@contextmanager
def readers_miss_nothing(problem: Problem) -> Iterator[None]:
    """Whoever looks while the block runs sees at least the rows that he saw when he last looked."""
    over, known = Event(), {layer: keys_of(problem) for layer, keys_of in KEYS.items()}
    looks = 0

    def look() -> None:
        nonlocal looks
        while not over.wait(LOOK_SECONDS):
            for layer, keys_of in KEYS.items():
                seen = keys_of(problem)
                assert known[layer] <= seen, f"{len(known[layer] - seen)} rows of {layer} vanished"
                known[layer] = seen
            looks += 1

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            over.set()
            looking.result()
    assert looks > 0
