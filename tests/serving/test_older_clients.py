"""The paths of services with one model: the default problem, in the words that their clients know."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from millrace.domain.uuid7 import uuid7s
from serving.older_clients import as_number
from tests.serving.test_routes import APPLICANT, PERSON
from tests.serving.world import World, package

LARGEST_OF_JAVASCRIPT = 2**53 - 1


def client_of(*names: str, default_problem: str = "") -> TestClient:
    world = World()
    for name in names:
        world.deploy(name, package(name), version=7)
    watch = world.watch()
    watch.look()
    return world.client(watch, default_problem=default_problem)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of("diabetes") as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/api/v1/predict"])
def test_the_only_problem_answers_in_the_older_shape(client: TestClient, path: str) -> None:
    older = client.post(path, json=PERSON).json()
    newer = client.post("/v1/models/diabetes/predict", json=PERSON).json()
    assert [*older] == ["probability", "risk_category", "contributing_factors", "prediction_id"]
    assert older["probability"] == newer["probability"]
    assert older["risk_category"] == newer["risk_category"]
    assert older["contributing_factors"] == [factor["name"] for factor in newer["contributing_factors"]]
    assert type(older["prediction_id"]) is int


def test_of_several_problems_the_default_one_is_meant() -> None:
    with client_of("diabetes", "loan", default_problem="loan") as client:
        assert client.post("/predict", json=APPLICANT).status_code == 200
        assert client.get("/model_info").json()["model_name"] == "loan"


@pytest.mark.parametrize(
    ("served", "default", "found", "expected"),
    [
        (("diabetes", "loan"), "", "diabetes, loan in force", "exactly one problem"),
        ((), "", "nothing in force", "exactly one problem"),
        (("diabetes",), "loan", "diabetes in force", "loan, as MILLRACE_DEFAULT_PROBLEM says"),
    ],
)
def test_where_no_problem_is_meant_it_is_told_what_to_do(
    served: tuple[str, ...], default: str, found: str, expected: str
) -> None:
    with client_of(*served, default_problem=default) as client:
        for answer in (client.post("/predict", json=PERSON), client.get("/model_info")):
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
            told = answer.json()
            assert (told["found"], told["expected"]) == (found, expected)
            assert "MILLRACE_DEFAULT_PROBLEM" in told["fix"]


def test_what_breaks_the_contract_is_refused_as_everywhere(client: TestClient) -> None:
    older = client.post("/predict", json=PERSON | {"Age": 12})
    newer = client.post("/v1/models/diabetes/predict", json=PERSON | {"Age": 12})
    assert older.status_code == 422
    assert older.json() == newer.json()


def test_an_older_request_is_counted_as_a_prediction(client: TestClient) -> None:
    def predicted() -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(one.split()[-1]) for one in lines if one.startswith("millrace_predictions_total{"))

    before = predicted()
    client.post("/predict", json=PERSON)
    assert predicted() == before + 1


def test_stored_predictions_are_listed_by_the_number_that_their_answer_had(client: TestClient) -> None:
    answered = [client.post("/predict", json=PERSON | {"Age": age}).json() for age in (30, 60)]
    newer = client.post("/v1/models/diabetes/predict", json=PERSON).json()
    page = client.get("/predictions", params={"limit": 3}).json()
    for one in page["predictions"]:
        assert datetime.fromisoformat(one.pop("time")) <= datetime.now(UTC)
    listed = {one["prediction_id"]: one for one in page["predictions"]}
    assert [*listed] == [as_number(UUID(newer["prediction_id"])), *(one["prediction_id"] for one in reversed(answered))]
    assert [listed[one["prediction_id"]] for one in answered] == answered
    assert client.get("/predictions", params={"limit": 0}).status_code == 422


def test_the_model_is_told_in_the_words_of_one_model(client: TestClient) -> None:
    told = client.get("/model_info").json()
    assert told["model_name"] == "diabetes"
    assert told["model_version"] == 7
    assert told["algorithm"] == "xgboost"
    assert {*told["features"]} >= {*PERSON}
    assert told["threshold"] == 0.4
    assert told["risk_categories"] == ["low", "medium", "high"]
    assert datetime.fromisoformat(told["in_force_since"]) <= datetime.now(UTC)


@given(st.uuids())
def test_a_number_is_one_that_javascript_keeps(one: UUID) -> None:
    assert 0 <= as_number(one) <= LARGEST_OF_JAVASCRIPT
    assert int(float(as_number(one))) == as_number(one)


@given(st.integers(0, 2**41 - 1), st.integers(2, 200))
def test_ids_of_one_millisecond_have_different_numbers(start: int, count: int) -> None:
    # The worst that chance can do: whatever is drawn anew for each id is always the same.
    new_id = uuid7s(lambda: 1_800_000_000_000_000_000, lambda bits: start if bits == 41 else 0)
    assert len({as_number(new_id()) for _ in range(count)}) == count
