"""The API: what it answers, and that every refusal has one shape and says what would be right."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from millrace.domain.training_range import compile_look
from serving.champion import InForce, Watch
from tests.domain.sample_package import sample_package
from tests.serving.world import World, package, problem

PREDICT = "/v1/models/diabetes/predict"
BATCH = f"{PREDICT}/batch"
PERSON = {"Pregnancies": 2, "Glucose": 120, "BloodPressure": 70, "SkinThickness": 20, "Insulin": 80, "BMI": 30.5}
PERSON |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}
APPLICANT = {"person_age": 30, "person_education": "Master", "person_income": 60000, "person_emp_exp": 5}
APPLICANT |= {"person_home_ownership": "RENT", "loan_amnt": 9000, "loan_intent": "MEDICAL", "loan_int_rate": 11}
APPLICANT |= {"loan_percent_income": 0.15, "cb_person_cred_hist_length": 6, "credit_score": 640}
APPLICANT |= {"previous_loan_defaults_on_file": "No"}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def watch(world: World) -> Watch:
    world.deploy("diabetes", package("diabetes"), version=7)
    world.deploy("loan", package("loan", estimator="logistic_regression"))
    watch = world.watch()
    watch.look()
    return watch


@pytest.fixture
def client(world: World, watch: Watch) -> Iterator[TestClient]:
    with world.client(watch) as client:
        yield client


def refused(client: TestClient, status: int, path: str = PREDICT, **request: Any) -> dict[str, Any]:
    answer = client.post(path, **request)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert all(told[key] for key in ("title", "found", "expected", "fix"))
    return told


def test_a_prediction_tells_probability_risk_factors_and_origin(client: TestClient, watch: Watch) -> None:
    first, second = (client.post(PREDICT, json=PERSON).json() for _ in range(2))
    assert first["probability"] == pytest.approx(watch.in_force["diabetes"].scorer.score(PERSON).probability)
    assert first["risk_category"] in ("low", "medium", "high")
    assert first["decision"] == (first["probability"] >= 0.4)
    assert (first["decided_by"], first["reason"]) == ("model", None)
    assert {factor["name"] for factor in first["contributing_factors"]} <= set(PERSON)
    assert all(factor["value"] == PERSON[factor["name"]] for factor in first["contributing_factors"])
    assert first["prediction_id"] < second["prediction_id"]
    assert UUID(first["prediction_id"]).version == 7
    assert first["model_version"] == first["model"]["version"] == 7
    assert first["model"]["content_hash"] == watch.in_force["diabetes"].package.manifest.content_hash


def test_without_explanation_the_same_is_told_without_factors(client: TestClient) -> None:
    told = client.post(f"{PREDICT}?explain=false", json=PERSON).json()
    explained = client.post(f"{PREDICT}?explain=true", json=PERSON).json()
    assert explained["contributing_factors"]
    assert told["contributing_factors"] == []
    assert told["probability"] == explained["probability"]
    many = client.post(f"{BATCH}?explain=false", json={"rows": [PERSON]}).json()["predictions"]
    assert many[0]["contributing_factors"] == []


@pytest.mark.parametrize("query", ["explain=no", "explain=", "explian=false", "explain=true&more=1"])
def test_a_query_that_is_not_understood_is_refused(client: TestClient, query: str) -> None:
    told = refused(client, 422, f"{PREDICT}?{query}", json=PERSON)
    assert "explain" in told["expected"]


def test_a_value_that_no_training_row_had_is_answered_with_a_warning() -> None:
    world = World()
    world.deploy("diabetes", package("diabetes"))
    watch = world.watch()
    watch.look()
    served = watch.in_force["diabetes"]
    seen = {"columns": {"BMI": {"low": 18.5, "high": 40.0, "edges": [], "counts": [], "missing": 0}}}
    watch.in_force = {"diabetes": replace(served, look=compile_look(seen))}
    with world.client(watch) as client:
        assert client.post(PREDICT, json=PERSON | {"BMI": 40.0}).json()["warnings"] == []
        (warning,) = client.post(PREDICT, json=PERSON | {"BMI": 40.1}).json()["warnings"]
    assert warning == {"name": "BMI", "kind": "outside_training_range", "value": 40.1, "expected": "18.5 to 40"}


def test_the_gold_that_trained_the_version_is_told_to_its_last_digit() -> None:
    world = World()
    # The package is of the first version with this content; the version in force was trained on another snapshot.
    first = {"gold_snapshot_id": 1}
    package = sample_package(problem("diabetes"), "logistic_regression", provenance=first)
    world.deploy("diabetes", package, version=2, gold="8773044883344685640")
    watch = world.watch()
    watch.look()
    with world.client(watch) as client:
        # Read as a browser would: every number is a float.
        told = json.loads(client.post(PREDICT, json=PERSON).text, parse_int=float)
    assert told["model"]["gold_snapshot"] == "8773044883344685640"


def test_an_override_decides_before_the_model_and_says_why(client: TestClient) -> None:
    row = {**APPLICANT, "previous_loan_defaults_on_file": "Yes"}
    prediction = client.post("/v1/models/loan/predict", json=row).json()
    assert prediction["probability"] == 0
    assert prediction["decided_by"] == "previous_default"
    assert "always refused" in prediction["reason"]
    assert prediction["contributing_factors"] == []


def test_a_batch_answers_row_by_row_in_order(client: TestClient) -> None:
    rows = [{**PERSON, "Age": 20 + position % 60} for position in range(1000)]
    many = client.post(BATCH, json={"rows": rows}).json()["predictions"]
    assert [one["row"] for one in many] == [*range(1000)]
    single = client.post(PREDICT, json=rows[517]).json()
    assert many[517]["probability"] == pytest.approx(single["probability"], abs=1e-6)
    names = [factor["name"] for factor in many[517]["contributing_factors"]]
    assert names == [factor["name"] for factor in single["contributing_factors"]]


def test_the_invalid_rows_of_a_batch_are_told_beside_the_predicted_ones(client: TestClient) -> None:
    rows = [PERSON, {**PERSON, "Age": 300, "Glucose": "high"}, {**PERSON, "Glukose": 1}, 5, PERSON]
    answer = client.post(BATCH, json={"rows": rows}).json()
    told = answer["predictions"]
    assert answer["rows_refused"] == 3
    assert ["probability" in one for one in told] == [True, False, False, False, True]
    assert told[0]["probability"] == told[4]["probability"]
    found = {(one["row"], error["reason"]) for one in told for error in one.get("errors", ())}
    assert found == {(1, "range:Age"), (1, "type:Glucose"), (2, "unknown:Glukose"), (3, "row")}
    assert all(error["row"] == one["row"] for one in told for error in one.get("errors", ()))


def test_a_row_a_line_is_answered_with_a_row_a_line(client: TestClient) -> None:
    lines = [PERSON, {**PERSON, "Age": 300}, PERSON]
    content = "\n".join(json.dumps(one) for one in lines) + "\n\n"
    answer = client.post(BATCH, content=content, headers={"content-type": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["row"], "probability" in one, one["model_version"]) for one in told] == [
        (0, True, 7),
        (1, False, 7),
        (2, True, 7),
    ]
    broken = content + "{"
    found = refused(client, 400, BATCH, content=broken, headers={"content-type": "application/x-ndjson"})["found"]
    assert found.startswith("line 4: ")


def test_faults_are_told_of_as_many_rows_as_a_request_has_room_for(client: TestClient) -> None:
    answer = client.post(BATCH, json={"rows": [{"a": 1}] * 1000}).json()
    assert answer["rows_refused"] == 1000
    assert len(answer["predictions"][0]["errors"]) == 1 + len(PERSON) - 5
    last = answer["predictions"][-1]["errors"]
    assert [(error["row"], error["reason"]) for error in last] == [(999, "row")]
    assert sum(len(one["errors"]) for one in answer["predictions"]) < 2100


def test_every_fault_of_a_row_is_told_at_once(client: TestClient) -> None:
    told = refused(client, 422, json={**PERSON, "Age": 300, "Glucose": "high", "Glukose": 1})
    assert {error["reason"] for error in told["errors"]} == {"range:Age", "type:Glucose", "unknown:Glukose"}


def test_the_key_of_a_row_and_sensitive_columns_may_be_sent_along(client: TestClient) -> None:
    alone = client.post(PREDICT, json=PERSON).json()
    keyed = client.post(PREDICT, json={**PERSON, "visit_id": "V12345678"}).json()
    assert keyed["probability"] == alone["probability"]
    assert refused(client, 422, json={**PERSON, "visit_id": "12"})["errors"][0]["reason"] == "pattern:visit_id"


def test_an_unknown_column_is_refused_without_its_value(client: TestClient) -> None:
    told = refused(client, 422, json={**PERSON, "name": "Ann Smith"})
    assert told["errors"][0]["reason"] == "unknown:name"
    assert "Ann" not in json.dumps(told)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"rows": [{}]} more', 400),
        (b"\xff\xfe", 400),
        (b"[" * 5000, 400),
        (b'{"rows":' * 300 + b"1" + b"}" * 300, 400),
        (b"1" * 5000, 400),
        (b"null", 422),
        (b"[]", 422),
        (b'{"row": []}', 422),
        (b'{"rows": {}}', 422),
        (b'{"rows": []}', 422),
        (b'{"rows": [{}], "more": 1}', 422),
        (b'{"rows": [' + b"{}," * 1000 + b"{}]}", 422),
        (b'{"rows": ["' + b"x" * 2_000_001 + b'"]}', 413),
    ],
)
def test_what_is_no_list_of_rows_is_refused(client: TestClient, sent: bytes, status: int) -> None:
    refused(client, status, BATCH, content=sent, headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400),
        (b'{"Age": 1} more', 400),
        (b"[" * 5000, 400),
        (b'{"a":' * 300 + b"1" + b"}" * 300, 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"Age": NaN, "BMI": -Infinity, "Glucose": 1e999}', 422),
        (b'{"rows": [{}]}', 422),
        (b'{"Age": "' + b"x" * 2_000_001 + b'"}', 413),
    ],
)
def test_what_is_no_row_is_refused(client: TestClient, sent: bytes, status: int) -> None:
    refused(client, status, content=sent, headers={"content-type": "application/json"})


def test_the_wrong_kind_of_body_is_refused(client: TestClient) -> None:
    assert "Content-Type" in refused(client, 415, content=b"{}")["expected"]
    refused(client, 415, data={"rows": "1"})
    refused(client, 415, json=PERSON, headers={"content-encoding": "gzip"})


def test_json_with_a_charset_is_json(client: TestClient) -> None:
    content = json.dumps(PERSON).encode()
    answer = client.post(PREDICT, content=content, headers={"content-type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 200


def test_a_body_in_chunks_is_cut_off_too(client: TestClient) -> None:
    sent = []

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            sent.append(1)
            yield b" " * 100_000

    refused(client, 413, content=chunks(), headers={"content-type": "application/json"})


def test_an_unknown_problem_is_told_with_the_closest(client: TestClient) -> None:
    assert refused(client, 404, "/v1/models/diabets/predict", json={})["expected"] == 'did you mean "diabetes"?'
    answer = client.get("/v1/models/nope")
    assert answer.status_code == 404
    assert "diabetes, loan" in answer.json()["expected"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", PREDICT, 405), ("GET", "/nope", 404)])
def test_wrong_paths_and_methods_have_the_same_shape(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert status != 405 or answer.headers["allow"] == "POST"


def test_a_model_tells_what_it_takes_and_where_it_comes_from(client: TestClient) -> None:
    told = client.get("/v1/models/diabetes").json()
    assert told["model"]["version"] == 7
    assert told["columns"]["Age"]["unit"] == "years"
    assert (told["columns"]["Age"]["min"], told["columns"]["Age"]["max"]) == (18, 120)
    assert told["threshold"] == 0.4
    assert told["lineage"] == {"gold_tag": "trained_sample"}
    assert told["columns"]["visit_id"]["nullable"], "a caller may tell the key, and need not"
    assert "visited_at" not in told["columns"]
    assert [model["problem"] for model in client.get("/v1/models").json()["models"]] == ["diabetes", "loan"]


def test_the_example_of_the_schema_is_a_valid_request(client: TestClient) -> None:
    for name in ("diabetes", "loan"):
        (example,) = client.get(f"/v1/models/{name}/schema").json()["examples"]
        assert client.post(f"/v1/models/{name}/predict", json=example).status_code == 200
        assert client.post(f"/v1/models/{name}/predict/batch", json={"rows": [example]}).status_code == 200


def test_openapi_has_one_exact_operation_a_champion(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    schema = paths["/v1/models/diabetes/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["Age"]["maximum"] == 120
    assert {"/v1/models/loan/predict", "/v1/models/loan/predict/batch"} <= set(paths)


@pytest.mark.parametrize("path", [PREDICT, f"{PREDICT}/batch", f"{PREDICT}/by-key"])
def test_without_a_key_no_way_leads_to_a_prediction(client: TestClient, path: str) -> None:
    refused(client, 401, path, json=PERSON, headers={"authorization": ""})


def test_a_refused_row_is_counted_for_the_champion_that_it_was_for(client: TestClient) -> None:
    client.post(PREDICT, json=PERSON)
    client.post(PREDICT, json=PERSON | {"Age": "old"})
    figures = client.get("/metrics").text
    for outcome in ("ok", "refused"):
        labels = f'outcome="{outcome}",problem="diabetes",version="7"'
        assert f"millrace_prediction_seconds_count{{{labels}}} 1.0" in figures
    assert re.search(r'millrace_build_info\{commit="[^"]+",python="3[^"]+",version="[^"]+"\} 1.0', figures)


def test_the_document_says_which_requests_need_a_key(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["paths"]["/v1/models/{problem}/predict"]["post"]["security"] == [{"bearer": []}, {"header": []}]
    assert "429" in document["paths"]["/v1/models"]["get"]["responses"]
    assert "security" not in document["paths"]["/healthz"]["get"]


def test_a_champion_that_comes_later_is_in_the_document() -> None:
    world = World()
    watch = world.watch()
    with world.client(watch) as client:
        assert "/v1/models/diabetes/predict" not in client.get("/openapi.json").json()["paths"]
        world.deploy("diabetes", package("diabetes"))
        watch.look()
        assert "/v1/models/diabetes/predict" in client.get("/openapi.json").json()["paths"]


def test_the_health_of_a_replica(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "alive"
    assert client.get("/readyz").json()["serves"] == {"diabetes": 7, "loan": 1}
    with World().client(World().watch()) as young:
        assert young.get("/healthz").status_code == 200
        assert young.get("/readyz").status_code == 503


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log of the application, whose loggers pass nothing on to the root logger."""
    for name in ("serving", "serving.access"):
        logging.getLogger(name).addHandler(caplog.handler)
    yield caplog
    for name in ("serving", "serving.access"):
        logging.getLogger(name).removeHandler(caplog.handler)


def test_what_nobody_expected_is_a_500_with_an_id_and_no_traceback(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    value = 4711

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"row has {value}")

    monkeypatch.setattr("serving.predicting.predict_one", broken)
    answer = client.post(PREDICT, json=PERSON, headers={"x-request-id": "abc-1"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "abc-1"
    assert "abc-1" in answer.json()["fix"]
    assert "ZeroDivisionError" not in answer.text
    assert "abc-1" in log.text
    assert "ZeroDivisionError" in log.text
    assert "row has 4711" not in log.text


def test_logs_and_metrics_tell_of_requests_but_never_of_rows(client: TestClient, log: pytest.LogCaptureFixture) -> None:
    client.post(PREDICT, json={**PERSON, "DiabetesPedigreeFunction": 0.98765})
    client.post(PREDICT, json={**PERSON, "name": "Ann Smith"})
    client.get("/secret-path?token=4711")
    lines = [json.loads(message) for message in log.messages if message.startswith("{")]
    assert (lines[0]["problem"], lines[0]["version"], lines[0]["rows"], lines[0]["status"]) == ("diabetes", 7, 1, 200)
    metrics = client.get("/metrics").text
    assert 'millrace_predictions_total{problem="diabetes",version="7"} 1.0' in metrics
    assert 'millrace_champion_generation{problem="loan",version="1"} 1.0' in metrics
    for secret in ("0.98765", "Ann", "secret-path", "4711"):
        assert secret not in log.text
        assert secret not in metrics


def test_a_champion_that_changes_during_a_request_answers_whole(watch: Watch) -> None:
    world = World()
    world.deploy("diabetes", package("diabetes"))
    other = world.watch()
    other.look()
    before: InForce = other.in_force["diabetes"]
    world.deploy("diabetes", package("diabetes", seed=2), version=2)
    other.look()
    assert before.champion.version == 1
    assert other.in_force["diabetes"].champion.version == 2


def test_the_docs_need_no_other_host(client: TestClient) -> None:
    page = client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith("/") for address in addresses)
    assert all(client.get(address).status_code == 200 for address in addresses)
