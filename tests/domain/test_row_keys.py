"""The key that a caller tells is spelled as Spark spells it in the lake."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from millrace.contract.source import Scalar, Source
from millrace.domain.row_keys import row_key

SOURCE = Source.model_validate(
    {
        "primary_key": ["a"],
        "assigned_time": "file_modified",
        "columns": {"a": {"type": "string"}, "y": {"type": "integer"}},
    }
)
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("k 1", '["k 1"]'),
        (17, '["17"]'),
        (True, '["true"]'),
        (datetime(2026, 1, 31, 10, 20, 30, tzinfo=UTC), '["2026-01-31 10:20:30"]'),
        (datetime(2026, 1, 31, 12, 20, 30, tzinfo=EAST), '["2026-01-31 10:20:30"]'),
        (datetime(2026, 1, 31, 10, 20, 30, 250_000, tzinfo=UTC), '["2026-01-31 10:20:30.25"]'),
    ],
)
def test_a_key_is_a_json_array_of_text(part: Scalar | datetime, told: str) -> None:
    assert row_key(SOURCE, [part]) == told
