"""Messages of producers as rows: what each is, and that it has the key that a file would give it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from millrace.contract.source import Column, Source
from millrace.contract.topic import Format
from millrace.domain.assigned_keys import key_assigner
from spark_jobs.transforms.message_rows import message_rows, parse_rows

pytestmark = pytest.mark.stack

TEXT = Column(type="string", nullable=True)
SOURCE = Source(
    assigned_key="row_content",
    assigned_time="file_modified",
    columns={"b": TEXT, "a": TEXT, "named": Column(type="string", nullable=True, header="Ein Name")},
)
KEYED = SOURCE.model_copy(update={"primary_key": ("a",)})
SENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
BRONZE = "topic string, partition int, offset long, sent_at timestamp, operation string, malformed string, value binary"
MESSAGES = "key binary, value binary, headers array<struct<key: string, value: binary>>"
Row = Mapping[str, Any]


def read(spark: SparkSession, source: Source, values: Sequence[bytes], said: Format = "json") -> list[Any]:
    told = [("events", 0, number, SENT, said, None, value) for number, value in enumerate(values)]
    return message_rows(spark.createDataFrame(told, BRONZE), source).orderBy("row_number").collect()


def key_of_a_file(source: Source, row: Row) -> str | None:
    """That of the only row of a file that has these columns, and others besides."""
    fields = {"named" if name == "Ein Name" else name: value for name, value in row.items()}
    assign = key_assigner((*fields,), source)
    return None if assign is None else assign([(*fields.values(),)])[0]


TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=12) | st.text('"\\\t\n\r\x00\x0b\x1f/é', max_size=9)
ROWS = st.dictionaries(st.sampled_from(["a", "b", "named", "Ein Name", "other"]), TEXTS).filter(
    lambda row: not {"named", "Ein Name"} <= {*row}
)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(rows=[{"a": "".join(map(chr, range(128))), "b": None}, {"b": "\\u000B", "other": "1"}, {}, {"a": "😀"}])
@given(rows=st.lists(ROWS, min_size=30, max_size=60))
@pytest.mark.parametrize("source", [SOURCE, KEYED], ids=["no key", "a key that may be lacking"])
def test_a_message_has_the_key_of_the_first_such_row_in_a_file(
    spark: SparkSession, source: Source, rows: list[Row]
) -> None:
    found = read(spark, source, [json.dumps(row).encode() for row in rows])
    assert [one["assigned_key"] for one in found] == [key_of_a_file(source, row) for row in rows]


def test_the_same_content_has_the_same_key_however_it_is_written(spark: SparkSession) -> None:
    same = [b'{"a": "x", "b": "5"}', b'{ "b" : 5,\n"other": [1], "a": "\\u0078"}']
    other = [b'{"a": "x", "b": "5.0"}', b'{"a": "x", "b": null}', b'{"a": "x"}']
    keys = [one["assigned_key"] for one in read(spark, SOURCE, [*same, *other])]
    assert keys[0] == keys[1] == key_of_a_file(SOURCE, {"a": "x", "b": "5"})
    assert len({*keys}) == 4


def test_a_row_has_the_position_of_a_line_and_says_that_it_is_none(spark: SparkSession) -> None:
    envelope = {"schema": {"type": "struct", "fields": []}, "payload": {"a": "x", "b": 1.50}, "metadata": {"id": 7}}
    [one] = read(spark, SOURCE, [json.dumps(envelope).encode()], "json_envelope")
    assert one["fields"] == {"a": "x", "b": "1.5"}
    assert (one["input_rank"], one["epoch"], one["lsn"]) == (0, "", int(SENT.timestamp()) * 1_000_000)
    assert (one["path"], one["row_number"], one["change"]) == ("events-0", 0, "json_envelope")


UNREADABLE: dict[Format, list[bytes | None]] = {
    "json": [
        b"",
        b"not json",
        b"[1, 2]",
        b'[{"a": "x"}]',
        b'"text"',
        b"5",
        b"null",
        b"{'a': 'x'}",
        b'{"a": "x"',
        b'{"a" 1}',
        # Several rows in one message: the others must not get lost.
        b'{"a": "x"} {"a": "y"}',
        b'{"a": "x"}\n{"a": "y"}\n',
        b'{"a": "x"}, {"a": "y"}',
        b'{"a": "x"} and so on',
    ],
    "json_envelope": [
        b"not json",
        b'{"a": "x"}',
        b'{"payload": null}',
        b'{"payload": "x"}',
        b'{"payload": "{\\"a\\": 1}"}',
        b'{"payload": [{"a": 1}]}',
        b'[{"payload": {"a": 1}}]',
        b'{"payload": {"a": 1}',
        b'{"payload": {"a": 1}}\n{"payload": {"a": 2}}',
    ],
}
READABLE: dict[Format, list[bytes]] = {
    "json": [b'{"a": "x"}', b"{}", b' \n{"a": null, "deep": {"x": [1]}} ', '{"é": "é"}'.encode()],
    "json_envelope": [
        b'{"payload": {"a": "x"}}',
        b'{"payload": {}, "schema": null}',
        b'{"schema": [], "payload": {"a": 1}}',
    ],
}


@pytest.mark.parametrize("said", ["json", "json_envelope"])
def test_what_is_no_row_is_told_why(spark: SparkSession, said: Format) -> None:
    values = [*READABLE[said], *UNREADABLE[said], None, b'{"a": "\xff"}']
    parsed = parse_rows(spark.createDataFrame([(None, value, None) for value in values], MESSAGES), said=said)
    found = {bytes(one["value"] or b"") if one["value"] is not None else None: one for one in parsed.collect()}
    assert {one["operation"] for one in found.values()} == {said}
    expected: dict[bytes | None, str | None] = dict.fromkeys(READABLE[said], None)
    why = "value: not JSON of an object" if said == "json" else "value: not JSON with an object as payload"
    expected |= dict.fromkeys(UNREADABLE[said], why)
    expected |= {None: "value: missing", b'{"a": "\xff"}': "value: not UTF-8"}
    assert {value: one["malformed"] for value, one in found.items()} == expected
