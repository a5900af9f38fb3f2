"""A column that only some files have: its values stay where they may, and the other files' rows have none."""

import uuid

import pytest
from pyspark.sql import SparkSession

from tests.steps.transforming import COLUMNS, HEADER, gold, ingest, problem_named, removed_afterwards, silver, to_gold

pytestmark = pytest.mark.stack


def test_files_with_and_without_an_optional_personal_column_are_one_source(spark: SparkSession) -> None:
    phone = COLUMNS["phone"] | {"nullable": True, "optional": True}
    problem = problem_named(uuid.uuid4().hex[:8], COLUMNS | {"phone": phone})
    with removed_afterwards(problem):
        ingest(problem, "with", "k1,2026-01-01,5,x,123,1")
        ingest(problem, "without", "k2,2026-01-01,6,y,0", header=HEADER.replace("phone,", ""))
        to_gold(spark, problem)
        assert {row["id"]: row["phone"] for row in silver(problem).values()} == {"k1": "123", "k2": None}
        assert sorted(row["label"] for row in gold(problem).values()) == [0, 1]
        assert all("phone" not in row for row in gold(problem).values())
