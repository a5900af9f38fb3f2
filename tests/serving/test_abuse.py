"""What is sent to confuse or to exhaust gets an answer that says why, is short, and is the caller's fault."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.serving.world import World, package

ONE, MANY = "/v1/models/diabetes/predict", "/v1/models/diabetes/predict/batch"
JSON, NDJSON = "application/json", "application/x-ndjson"
PERSON = {"Pregnancies": 2, "Glucose": 120, "BloodPressure": 70, "SkinThickness": 20, "Insulin": 80, "BMI": 30.5}
PERSON |= {"DiabetesPedigreeFunction": 0.4, "Age": 40}
LONGEST_ANSWER_BYTES = 25_000


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    world = World()
    world.deploy("diabetes", package("diabetes"))
    watch = world.watch()
    watch.look()
    with world.client(watch) as client:
        yield client


def with_text(column: str, text: str) -> bytes:
    """A row in which one value is written as it is."""
    return json.dumps(PERSON | {column: "@@"}).replace('"@@"', text).encode()


TWICE = json.dumps(PERSON)[:-1] + ', "Age": 41}'
HOSTILE = {
    "NaN": (with_text("BMI", "NaN"), 422),
    "Infinity": (with_text("BMI", "Infinity"), 422),
    "minus Infinity": (with_text("BMI", "-Infinity"), 422),
    "a number beyond any float": (with_text("BMI", "1e999"), 422),
    "an integer of 4,000 digits": (with_text("Age", "9" * 4_000), 422),
    "an integer of 100,000 digits": (with_text("Age", "9" * 100_000), 400),
    "a number as text": (with_text("Age", '"40"'), 422),
    "a number as text of digits of another script": (with_text("Age", '"٤٠"'), 422),
    "true for a number": (with_text("Age", "true"), 422),
    "a list for a number": (with_text("Age", "[40]"), 422),
    "an object for a number": (with_text("Age", '{"Age": 40}'), 422),
    "a key twice": (TWICE.encode(), 400),
    "a key twice, once with an escape": (TWICE.replace(', "Age": 41', ', "\\u0041ge": 41').encode(), 400),
    "a key twice, once with a space": (TWICE.replace(', "Age": 41', ', "Age" : 41').encode(), 400),
    "300 levels of lists": (with_text("Age", "[" * 300 + "]" * 300), 400),
    "a million open lists": (b"[" * 1_000_000, 400),
    "a million open objects": (b'{"a":' * 300_000, 400),
    "50,000 unknown keys": (json.dumps({f"k{n}": n for n in range(50_000)}).encode(), 422),
    "a key of a megabyte": (json.dumps({"k" * 1_000_000: 1}).encode(), 422),
    "a text of a megabyte": (with_text("Age", '"' + "x" * 1_000_000 + '"'), 422),
    "half a surrogate": (with_text("Age", r'"\ud800"'), 400),
    "bytes that are no UTF-8": (with_text("Age", '"x"').replace(b"x", b"\xff"), 400),
    "UTF-16": (json.dumps(PERSON).encode("utf-16"), 400),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(PERSON).encode(), 400),
    "a zero byte": (json.dumps(PERSON).encode() + b"\x00", 400),
    "two rows": (json.dumps(PERSON).encode() * 2, 400),
    "nothing": (b"", 400),
    "too many bytes": (b" " * 2_000_001, 413),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_row_gets_a_short_answer_that_says_why(client: TestClient, what: str) -> None:
    sent, status = HOSTILE[what]
    answer = client.post(ONE, content=sent, headers={"content-type": JSON})
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < LONGEST_ANSWER_BYTES


@pytest.mark.parametrize("what", [name for name, (_, status) in HOSTILE.items() if status == 400])
def test_a_hostile_line_among_others_is_named(client: TestClient, what: str) -> None:
    sent, _ = HOSTILE[what]
    if b"\n" in sent or not sent:
        pytest.skip("it is no line")
    answer = client.post(MANY, content=json.dumps(PERSON).encode() + b"\n" + sent, headers={"content-type": NDJSON})
    assert answer.status_code == 400
    assert "line 2" in answer.json()["found"]


@pytest.mark.parametrize("rows", [1_001, 10_000])
def test_a_batch_of_too_many_rows_is_refused_as_a_whole(client: TestClient, rows: int) -> None:
    small = [{"Age": 40}] * rows
    answers = [
        client.post(MANY, json={"rows": small}),
        client.post(MANY, content="\n".join(map(json.dumps, small)), headers={"content-type": NDJSON}),
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("1 to 1000" in answer.json()["expected"].replace(",", "") for answer in answers)


def test_10_000_whole_rows_are_too_large(client: TestClient) -> None:
    assert client.post(MANY, json={"rows": [PERSON] * 15_000}).status_code == 413


def test_a_key_twice_in_a_batch_is_told_in_either_form(client: TestClient) -> None:
    whole = json.dumps(PERSON)
    together = '{"rows": [' + whole + "," + TWICE + "]}"
    rows_twice = '{"rows": [' + whole + '], "rows": [' + whole + "]}"
    for sent, kind, key in (
        (together, JSON, "Age"),
        (rows_twice, JSON, "rows"),
        (whole + "\n" + TWICE, NDJSON, "Age"),
    ):
        answer = client.post(MANY, content=sent, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["title"]) == (400, "A key comes twice")
        assert f'"{key}"' in answer.json()["found"]


@pytest.mark.parametrize(
    ("key", "letter"),
    [
        ("\u0410ge", "CYRILLIC CAPITAL LETTER A"),
        ("\uff21ge", "FULLWIDTH LATIN CAPITAL LETTER A"),
        ("Age\u200b", "ZERO WIDTH SPACE"),
        ("A\u0261e", "LATIN SMALL LETTER SCRIPT G"),
    ],
)
def test_a_key_that_only_looks_like_a_column_is_refused_with_the_letter(
    client: TestClient, key: str, letter: str
) -> None:
    row = {name: value for name, value in PERSON.items() if name != "Age"} | {key: 40}
    answer = client.post(ONE, json=row)
    assert answer.status_code == 422
    (unknown,) = [error for error in answer.json()["errors"] if error["reason"].startswith("unknown")]
    assert 'did you mean "Age"?' in unknown["expected"]
    assert letter in unknown["expected"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "", "a" * 5_000]
)
def test_another_kind_of_body_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post(ONE, content=json.dumps(PERSON), headers={"content-type": kind})
    assert answer.status_code == 415
    assert len(answer.content) < 1_000
