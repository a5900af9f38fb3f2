"""What the newest rows tell of a table: the newest one its columns, and the newest values its types."""

from typing import Any

import pytest

from millrace.domain.source_columns import differences, newest_commit, row_in
from tests.steps.transforming import problem_named

SOURCE = problem_named("columns").source
ROW = {"id": "k", "seen_at": "2026-01-01T00:00:00Z", "size": 1.5, "note": None, "phone": "1", "sold": 1}


def test_a_table_as_the_contract_says_has_no_differences() -> None:
    found = differences(SOURCE, [ROW])
    assert (found.unknown, found.absent, found.lacking, dict(found.retyped)) == ((), (), (), {})


def test_the_newest_row_tells_the_columns() -> None:
    old = {name: value for name, value in ROW.items() if name not in ("size", "note")}
    assert differences(SOURCE, [old, ROW]).lacking == ()
    found = differences(SOURCE, [ROW, old | {"colour": "red"}])
    assert (found.unknown, found.absent, found.lacking) == (("colour",), ("note",), ("size",))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("size", "large", "text"),
        ("size", True, "a boolean"),
        ("size", [1.5], "a list"),
        ("size", "1.50", None),
        # A broken value of a floating point number is a row's fault, not the table's.
        ("size", "NaN", None),
        ("size", "", None),
        ("size", 5, None),
        ("sold", True, "a boolean"),
        ("sold", "1", None),
        ("phone", 5, "a number"),
        ("phone", {"a": 1}, "an object"),
        ("phone", "NA", None),
        ("seen_at", 20_454, "a number"),
        ("seen_at", "2026-01-01", None),
        ("note", None, None),
    ],
)
def test_the_newest_value_tells_the_type(name: str, value: object, words: str | None) -> None:
    newest: dict[str, Any] = ROW | {name: value}
    assert differences(SOURCE, [ROW, newest]).retyped == ({name: words} if words else {})
    assert name not in differences(SOURCE, [newest, ROW | {name: ROW[name] or "x"}]).retyped
    assert (name in differences(SOURCE, [newest, ROW | {name: None}]).retyped) == bool(words)


def test_a_text_that_cannot_be_read_is_a_row_s_fault_where_another_can() -> None:
    readable, broken = ROW | {"size": "1.50"}, ROW | {"size": "large"}
    assert differences(SOURCE, [readable, broken]).retyped == {}
    assert differences(SOURCE, [ROW | {"size": 1.5}, broken]).retyped == {"size": "text"}


def test_a_boolean_may_come_as_a_text_or_number_that_says_one() -> None:
    columns = SOURCE.columns | {"gift": SOURCE.columns["note"].model_copy(update={"type": "boolean"})}
    source = SOURCE.model_copy(update={"columns": columns})
    for value, is_one in ((True, True), ("yes", True), (0, True), ("maybe", False), (2, False), ("", True)):
        assert ("gift" in differences(source, [ROW | {"gift": value}]).retyped) != is_one


@pytest.mark.parametrize(
    "value",
    [b"{", b"\xff", b"[1]", b"null", b'{"op": "d", "after": null}', b'{"after": [1]}', b"[" * 100_000, b'{"op": 1}'],
)
def test_a_message_without_a_row_tells_nothing(value: bytes) -> None:
    assert row_in(value) is None
    assert row_in(b'{"op": "c", "after": {"id": 1}}') == {"id": 1}


def test_the_newest_commit_is_that_of_the_newest_message_that_tells_one() -> None:
    told = [
        b"no json",
        b'{"source": {"ts_us": 5000000}}',
        b'{"source": {"ts_us": 7000000}}',
        b'{"source": {"ts_us": 1e30}}',
    ]
    newest = newest_commit([*told, b'{"source": {"ts_us": 1e30}}'])
    assert newest is not None
    assert newest.timestamp() == 7
    assert newest_commit([b"{}", b"[1]", b"[" * 100_000]) is None
