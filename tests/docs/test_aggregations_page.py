"""The table of docs/aggregations.md holds what the oracle tells, which Spark is held to."""

import re
from datetime import UTC, datetime
from typing import Any

import yaml

from millrace.contract.aggregations import Aggregation, EventLabel
from millrace.settings import ROOT
from tests import slow_oracle

PAGE = (ROOT / "docs" / "aggregations.md").read_text(encoding="utf-8")


def test_the_worked_table_is_what_comes_out() -> None:
    said = re.findall(r"^- `(\w+)` is `(\{.*\})`,$", PAGE, re.MULTILINE)
    aggregations = [Aggregation.model_validate({"name": name, **yaml.safe_load(words)}) for name, words in said]
    (words,) = re.findall(r"^- the label is `(\{.*\})`\.$", PAGE, re.MULTILINE)
    label = EventLabel.model_validate(yaml.safe_load(words))
    assert [one.name for one in aggregations] == ["looks_20m", "spent", "things_20m", "idle"]

    rows = table("| at |")
    events = [
        {
            **row,
            "event_timestamp": datetime(2026, 1, 1, *map(int, row["at"].split(":")), tzinfo=UTC),
            "price": float(row["price"]),
        }
        for row in rows
    ]
    for one in aggregations:
        assert [row[one.name] for row in rows] == [told(v) for v in slow_oracle.aggregated(one, events, events)], (
            one.name
        )
    assert [row["label"] for row in rows] == [told(v) for v in slow_oracle.labelled(label, events, events)]


def table(beginning: str) -> list[dict[str, Any]]:
    lines = PAGE[PAGE.index(beginning) :].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def told(value: float | None) -> str:
    return "null" if value is None else f"{value:g}"
