"""The night's maintenance drops the days that the contract keeps no longer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from millrace.adapters import prediction_store
from millrace.adapters.prediction_store import Wanted, Writer
from millrace.steps.remove_old_predictions import remove_old_predictions
from tests.adapters.test_prediction_store import record, request
from tests.postgres_alone import postgres_alone
from tests.steps.small_problem import COLUMNS, small


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with postgres_alone():
        yield


def test_whole_days_beyond_the_contract_go() -> None:
    problem = small("kept", COLUMNS)
    now = datetime(2026, 6, 30, 1, tzinfo=UTC)
    kept_days = problem.retention.predictions_days
    made = [record(now - timedelta(days=days)) for days in (kept_days + 2, kept_days + 1, kept_days, 0)]
    with prediction_store.connect() as connection:
        Writer(connection).store([request(one, problem="kept") for one in made])
        told = remove_old_predictions(problem, now=now)
        assert told == {"problem": "kept", "days": 2, "predictions": 2}
        left = prediction_store.newest(connection, "kept", Wanted(), 10)
    assert [row["id"] for row in left] == [made[3].id, made[2].id]
