"""Stored predictions as the API tells them, and that nothing is answered that is not kept."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from millrace.domain.uuid7 import time_of
from serving.prediction_queries import listing_of
from serving.schemas import example
from serving.spool_folder import SpoolFullError
from tests.serving.test_routes import PERSON, PREDICT
from tests.serving.world import Kept, World, away, package

LIST = "/v1/models/diabetes/predictions"


@pytest.fixture
def store() -> Kept:
    return Kept()


@pytest.fixture
def client(store: Kept) -> Iterator[TestClient]:
    world = World(kept=store)
    world.deploy("diabetes", package("diabetes"), version=7)
    watch = world.watch()
    watch.look()
    with world.client(watch) as client:
        yield client


def refused(client: TestClient, status: int, path: str) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert all(told[key] for key in ("title", "found", "expected", "fix"))
    return told


def test_an_answer_is_kept_as_it_was_told(client: TestClient, store: Kept) -> None:
    told = client.post(PREDICT, json=PERSON).json()
    (request,) = store.requests
    (one,) = request.predictions
    assert (request.problem, request.version, request.rows_refused) == ("diabetes", 7, 0)
    assert request.latency_seconds > 0
    assert str(one.id) == told["prediction_id"]
    assert one.features == PERSON
    assert (one.probability, one.risk_category, one.decision) == (
        told["probability"],
        told["risk_category"],
        told["decision"],
    )
    assert list(one.factors) == told["contributing_factors"]
    assert (one.entity, one.decided_by) == (None, "model")


def test_the_key_of_a_row_is_kept_as_the_lake_has_it(client: TestClient, store: Kept) -> None:
    client.post(PREDICT, json={**PERSON, "visit_id": "V12345678"})
    (one,) = store.requests[0].predictions
    assert one.entity == '["V12345678"]'
    assert one.features == PERSON


def test_a_sensitive_column_is_never_kept(store: Kept) -> None:
    world = World(kept=store)
    world.deploy("stroke", package("stroke", estimator="logistic_regression"))
    watch = world.watch()
    watch.look()
    row = example(watch.in_force["stroke"])
    with world.client(watch) as client:
        assert client.post("/v1/models/stroke/predict", json={**row, "name": "Ann Secret"}).status_code == 200
    assert "Ann Secret" not in str(store.requests)
    assert "name" not in store.requests[0].predictions[0].features


def test_a_batch_keeps_its_valid_rows_and_counts_the_others(client: TestClient, store: Kept) -> None:
    answer = client.post(f"{PREDICT}/batch", json={"rows": [PERSON, {"Age": 300}, PERSON, 5]}).json()
    (request,) = store.requests
    told = [one["prediction_id"] for one in answer["predictions"] if "prediction_id" in one]
    assert [str(one.id) for one in request.predictions] == told
    assert request.rows_refused == 2


def test_a_refused_row_is_no_prediction(client: TestClient, store: Kept) -> None:
    assert client.post(PREDICT, json={"Age": 1}).status_code == 422
    assert store.requests == []


@pytest.mark.parametrize("path", [PREDICT, f"{PREDICT}/batch"])
def test_what_cannot_be_kept_is_not_answered(client: TestClient, store: Kept, path: str) -> None:
    store.refuses = SpoolFullError("The spool is full", place="here", found="much", expected="little", fix="wait")
    answer = client.post(path, json=PERSON if path == PREDICT else {"rows": [PERSON]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["found"] == "much"
    assert "probability" not in answer.text
    store.refuses = None
    assert client.post(PREDICT, json=PERSON).status_code == 200


def test_the_newest_come_first_page_by_page(client: TestClient) -> None:
    made = [client.post(PREDICT, json=PERSON).json()["prediction_id"] for _ in range(7)]
    pages: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = client.get(f"{LIST}?limit=3{cursor and '&cursor=' + cursor}").json()
        pages += page["predictions"]
        cursor = page["next_cursor"]
    assert [one["prediction_id"] for one in pages] == made[::-1]
    assert all(later["time"] >= earlier["time"] for later, earlier in pairwise(pages))
    assert pages[0]["features"] == PERSON
    assert pages[0]["model_version"] == 7


def test_one_prediction_comes_with_its_receipt(client: TestClient) -> None:
    told = client.post(PREDICT, json=PERSON).json()
    one = client.get(f"{LIST}/{told['prediction_id']}").json()
    assert {key: one[key] for key in ("probability", "risk_category", "decision", "contributing_factors")} == {
        key: told[key] for key in ("probability", "risk_category", "decision", "contributing_factors")
    }
    # Whether there is a control table to ask here or not, the prediction is told.
    assert one["receipt"]["version"] == 7
    assert one["receipt"]["trouble"] or one["receipt"]["gold"]


def test_an_id_that_is_not_stored_says_that_it_may_take_a_moment(client: TestClient) -> None:
    told = refused(client, 404, f"{LIST}/019adfd5-f1a0-7cc3-98c4-dc0c0c07398f")
    assert "seconds" in told["fix"]


@pytest.mark.parametrize("one", ["17", str(uuid4()), "019adfd5f1a07cc398c4dc0c0c07398f", "f" * 300, "٠" * 36])
def test_what_is_no_id_is_refused(client: TestClient, one: str) -> None:
    refused(client, 422, f"{LIST}/{one}")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=1.5",
        "limit=%D9%A3",
        "limit=",
        "cursor=17",
        f"cursor={uuid4()}",
        "since=yesterday",
        "until=0001-01-01",
        "since=9999-12-31T23:59:59.999999Z",
        "version=0",
        "version=99999999999",
        "risk_category=",
        "entity=%00",
        "entity=1&entity=2",
        "versoin=1",
    ],
)
def test_a_query_that_says_nothing_valid_is_refused_by_name(client: TestClient, query: str) -> None:
    told = refused(client, 422, f"{LIST}?{query}")
    assert query.partition("=")[0] in told["found"]


def test_a_misspelt_parameter_is_told_the_right_one(client: TestClient) -> None:
    assert "version" in refused(client, 422, f"{LIST}?versoin=1")["expected"]


def test_times_are_read_with_their_zone(client: TestClient) -> None:
    wanted, limit = listing_of([("since", "2026-03-01T01:00:00+01:00"), ("until", "2026-03-01T00:00:00Z")])
    assert wanted.since == wanted.until
    assert limit == 100


def test_unknown_problems_have_no_predictions(client: TestClient) -> None:
    refused(client, 404, "/v1/models/diabetis/predictions")


def test_a_database_that_is_away_is_no_error_of_ours(client: TestClient, store: Kept) -> None:
    store.refuses = away("Postgres")
    for path in (LIST, f"{LIST}/019adfd5-f1a0-7cc3-98c4-dc0c0c07398f"):
        refused(client, 503, path)
        assert client.get(path).headers["retry-after"] == "5"


def test_a_store_that_is_behind_is_told_and_a_full_one_takes_the_replica_out(client: TestClient, store: Kept) -> None:
    store.trouble, store.waiting_bytes = "the database is away", 500
    told = client.get("/readyz")
    assert told.status_code == 200
    assert told.json()["store"]["trouble"] == "the database is away"
    figures = client.get("/metrics").text
    assert "millrace_store_waiting_bytes 500.0" in figures
    assert "millrace_store_trouble 1.0" in figures
    store.waiting_bytes = 1_000
    assert client.get("/readyz").status_code == 503


def test_an_id_tells_the_time_that_is_listed(client: TestClient) -> None:
    client.post(PREDICT, json=PERSON)
    (one,) = json.loads(client.get(LIST).text)["predictions"]
    assert datetime.fromisoformat(one["time"]) == time_of(UUID(one["prediction_id"]))
