"""Whatever events there are, Spark's running sums tell each row what the slow oracle tells it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from millrace.contract.aggregations import Aggregation, EventLabel, Where
from spark_jobs.transforms.aggregation import aggregate
from spark_jobs.transforms.event_label import add_event_label, newest
from tests import slow_oracle

pytestmark = pytest.mark.stack

SCHEMA = "row_key string, event_timestamp timestamp, scenario int, who string, what bigint, kind string, worth double"
BOUGHT = Where(column="kind", any_of=("buy",))
LOOKS = [
    {"name": "n", "function": "count"},
    {"name": "n_3", "function": "count", "window": "3s"},
    {"name": "bought_2", "function": "count", "window": "2s", "where": BOUGHT},
    {"name": "worth_3", "function": "sum", "column": "worth", "window": "3s"},
    {"name": "worth_all", "function": "sum", "column": "worth", "where": BOUGHT},
    {"name": "mean_2", "function": "mean", "column": "worth", "window": "2s"},
    {"name": "kinds", "function": "distinct", "column": "kind"},
    {"name": "things_3", "function": "distinct", "column": "what", "window": "3s"},
    {"name": "idle", "function": "seconds_since_last"},
    {"name": "idle_2", "function": "seconds_since_last", "window": "2s", "where": BOUGHT},
]
AGGREGATIONS = [
    *(Aggregation.model_validate({"key": ["scenario", "who"], **look}) for look in LOOKS),
    *(
        Aggregation.model_validate({"key": ["scenario", "who", "what"], **look, "name": f"each_{look['name']}"})
        for look in LOOKS[:4]
    ),
]
LABEL = EventLabel(event=BOUGHT, same=("scenario", "who", "what"), within="3s")

# Few times and keys, so that ties, edges of windows and hot keys come by themselves.
events = st.fixed_dictionaries(
    {
        "half_seconds": st.integers(0, 16),
        "who": st.sampled_from(["a", "b", None]),
        "what": st.sampled_from([1, 2, None]),
        "kind": st.sampled_from(["look", "buy"]),
        "worth": st.none() | st.decimals(0, 9, places=2).map(float),
    }
)


# Many scenarios a Spark job, told apart by their keys: a job costs seconds, a row nothing.
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.lists(events, min_size=1, max_size=12), min_size=20, max_size=40))
def test_rows_read_what_came_strictly_before_them(spark: SparkSession, many: list[list[dict[str, Any]]]) -> None:
    every = [as_row(scenario, n, event) for scenario, found in enumerate(many) for n, event in enumerate(found)]
    told = spark.createDataFrame([tuple(row[name] for name in NAMES) for row in every], SCHEMA)
    columns = [one.name for one in AGGREGATIONS]
    found = {
        row["row_key"]: row.asDict()
        for few in (True, False)
        for row in aggregate(told, told, AGGREGATIONS, few=few).select("row_key", *columns).collect()
    }
    wanted = {one.name: slow_oracle.aggregated(one, every, every) for one in AGGREGATIONS}
    for n, row in enumerate(every):
        expected = {name: values[n] for name, values in wanted.items()}
        assert found[row["row_key"]] == {"row_key": row["row_key"]} | expected, (row, every)


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(events, min_size=1, max_size=200))
def test_labels_tell_what_came_strictly_after_them(spark: SparkSession, few: list[dict[str, Any]]) -> None:
    every = [as_row(n % 10, n, event) for n, event in enumerate(few)]
    told = spark.createDataFrame([tuple(row[name] for name in NAMES) for row in every], SCHEMA)
    found = {row["row_key"]: row["label"] for row in add_event_label(told, told, LABEL, now=newest(told)).collect()}
    wanted = slow_oracle.labelled(LABEL, every, every)
    assert found == {row["row_key"]: label for row, label in zip(every, wanted, strict=True)}


NAMES = ("row_key", "event_timestamp", "scenario", "who", "what", "kind", "worth")


def as_row(scenario: int, number: int, event: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(1_600_000_000 + event["half_seconds"] / 2, UTC)
    return {**event, "row_key": f"{scenario}/{number}", "event_timestamp": at, "scenario": scenario}
