"""The caller tells a key; the features are those that the warehouse holds."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from millrace.contract.problem import Problem
from tests.domain.sample_package import sample_package
from tests.serving.world import World, package

BY_KEY = "/v1/models/diabetes/predict/by-key"
PERSON = {
    "Pregnancies": 2,
    "Glucose": 120.0,
    "BloodPressure": 70.0,
    "SkinThickness": None,
    "Insulin": 80.0,
    "BMI": 30.5,
}
PERSON |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}
SEEN, LOADED = datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 1, 8, 1, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    world = World()
    world.deploy("diabetes", package("diabetes"))
    numbers = {"label": 1, "gold_seq": 5, "gold_snapshot_id": 7, "event_timestamp": SEEN, "loaded_at": LOADED}
    world.rows["diabetes", '["V00000001"]'] = {"row_key": '["V00000001"]', **PERSON, **numbers}
    return world


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with served(world) as client:
        yield client


def served(world: World) -> TestClient:
    watch = world.watch()
    watch.look()
    return world.client(watch)


def refused(client: TestClient, status: int, sent: Any, path: str = BY_KEY) -> dict[str, Any]:
    answer = client.post(path, json=sent)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    assert all(told[key] for key in ("title", "found", "expected", "fix"))
    return told


def test_a_key_is_answered_as_its_features_would_be_with_the_time_that_they_were_known(client: TestClient) -> None:
    by_key = client.post(BY_KEY, json={"key": {"visit_id": "V00000001"}}).json()
    by_features = client.post("/v1/models/diabetes/predict", json=PERSON).json()
    assert by_key["probability"] == by_features["probability"]
    assert by_key["contributing_factors"] == by_features["contributing_factors"]
    assert by_key["entity"] == '["V00000001"]'
    assert by_key["features_known_at"] == "2026-03-01T08:00:00Z"
    assert by_key["features_published_at"] == "2026-03-01T08:01:00Z"


def test_a_row_that_the_warehouse_does_not_hold_is_no_error_of_ours(client: TestClient) -> None:
    told = refused(client, 404, {"key": {"visit_id": "V00000002"}})
    assert "V00000002" not in json.dumps(told)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"visit_id": "V00000001"},
        {"key": "V00000001"},
        {"key": {}},
        {"key": {"visit_id": None}},
        {"key": {"visit_id": ["V00000001"]}},
        {"key": {"visit_id": "V00000001", "Age": 4}},
        {"key": {"visit_id": "V00000001"}, "more": 1},
    ],
)
def test_what_is_no_key_of_the_problem_is_refused(client: TestClient, sent: Any) -> None:
    assert "visit_id" in refused(client, 422, sent)["expected"]


def test_a_row_that_does_not_fit_the_model_is_told_and_not_guessed(world: World, client: TestClient) -> None:
    del world.rows["diabetes", '["V00000001"]']["Age"]
    assert "gold snapshot 7" in refused(client, 409, {"key": {"visit_id": "V00000001"}})["found"]


def test_a_warehouse_that_is_away_is_told_and_what_needs_none_goes_on(world: World, client: TestClient) -> None:
    world.database_away = True
    assert "try again" in refused(client, 503, {"key": {"visit_id": "V00000001"}})["fix"]
    assert client.post("/v1/models/diabetes/predict", json=PERSON).status_code == 200


def test_a_problem_without_a_key_of_its_own_leads_to_the_other_route() -> None:
    columns = {"a": {"type": "number"}, "y": {"type": "integer"}}
    source = {"assigned_key": "row_content", "assigned_time": "file_modified", "columns": columns}
    keyless = Problem.model_validate(
        {"problem": "keyless", "title": "K", "owner": "tests", "sources": {"rows": source}, "label": {"column": "y"}}
    )
    world = World()
    world.deploy("keyless", sample_package(keyless))
    with served(world) as client:
        told = refused(client, 422, {"key": {"a": 1}}, "/v1/models/keyless/predict/by-key")
    assert "/v1/models/keyless/predict" in told["fix"]


def test_questions_that_wait_for_the_warehouse_hold_up_no_batch(world: World) -> None:
    asked, free = threading.Semaphore(0), threading.Event()

    def slow(_problem: str, _key: str) -> None:
        asked.release()
        free.wait(30)

    world.read_row = slow  # type: ignore[method-assign]
    watch = world.watch()
    watch.look()
    with world.client(watch) as client, ThreadPoolExecutor() as callers:
        waiting = [callers.submit(client.post, BY_KEY, json={"key": {"visit_id": "V00000001"}}) for _ in range(3)]
        for _ in waiting:
            assert asked.acquire(timeout=10)
        batch = callers.submit(client.post, "/v1/models/diabetes/predict/batch", json={"rows": [PERSON] * 50})
        try:
            assert batch.result(timeout=20).status_code == 200
            assert not any(one.done() for one in waiting)
        finally:
            free.set()
        assert {one.result(timeout=20).status_code for one in waiting} == {404}
