"""What messages of producers have that the contract does not."""

import json
from typing import Any

import pytest

from millrace.contract.source import Column, Source
from millrace.contract.topic import Format
from millrace.domain.message_fields import Drift, drift, row_of

SOURCE = Source(
    assigned_key="row_content",
    assigned_time="file_modified",
    columns={"size": Column(type="number"), "note": Column(type="string", header="A Note")},
)


def test_fields_that_nobody_declared_and_values_that_are_no_plain_ones_are_counted() -> None:
    rows: list[dict[str, Any]] = [
        {"size": 1, "A Note": "x", "colour": "red"},
        {"size": [1], "note": {"deep": 1}, "colour": {"deep": 1}},
        {"size": None},
    ]
    assert drift(SOURCE, rows) == Drift(unknown={"colour": 2}, nested={"note": 1, "size": 1})
    assert drift(SOURCE, []) == Drift({}, {})


@pytest.mark.parametrize("said", ["json", "json_envelope"])
def test_a_row_is_what_the_format_says(said: Format) -> None:
    row = {"size": 1}
    told = row if said == "json" else {"schema": {}, "payload": row}
    assert row_of(json.dumps(told).encode(), said) == row
    for other in (b"", b"\xff", b"[1]", b"null", b'"x"', b"[" * 100_000):
        assert row_of(other, said) is None
    assert row_of(b'{"payload": "x"}', "json_envelope") is None
