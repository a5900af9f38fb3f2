"""Great Expectations refuses what the other engines refuse, among rows that have their types already."""

import pytest
from pyspark.sql import SparkSession

from expectations.checkpoints import check
from expectations.suites import constraint_expectations
from millrace.contract.constraints import HasType, Required, source_constraints
from spark_jobs.transforms.casting import cast_rows
from tests.contract.parity_corpus import CORPUS, Case
from tests.contract.wide_row import by_case, expected, numbered, one_source, one_text
from tests.spark_jobs.bronze import bronze_rows

pytestmark = pytest.mark.stack


def judged_by_gx(case: Case) -> bool:
    """Silver holds types already, so reading text is nothing that GX has to do."""
    typed = case.raw is not None and not any(code.startswith("type:") for code in case.reasons)
    beyond_reading = any(not isinstance(c, HasType | Required) for c in source_constraints(case.source()))
    return typed and (beyond_reading or bool(case.reasons))


CASES = numbered(filter(judged_by_gx, CORPUS))


def test_the_corpus(spark: SparkSession) -> None:
    source = one_source(CASES)
    typed = cast_rows(bronze_rows(spark, [one_text(CASES)]), source).select("typed.*")
    rows = spark.createDataFrame(typed.toArrow())  # the plan of so many casts would be analysed for each metric
    suite = [e for constraint in source_constraints(source) for e in constraint_expectations(constraint, source)]
    verdict = check("the corpus", rows, suite, frozenset(source.columns), "test").verdict
    assert by_case(CASES, (finding.rule for finding in verdict.broken)) == expected(CASES)
