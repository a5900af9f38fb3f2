"""Running expectations as a Great Expectations checkpoint over a Spark DataFrame, plain or of Spark Connect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
from great_expectations.expectations.expectation import Expectation
from pyspark.sql import DataFrame

from expectations.verdict import Finding, Verdict
from millrace.contract.errors import MillraceError

# Counts alone: an expectation then costs no query of its own, and no value of a row, sensitive or not, is collected.
COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}
WITH_EXAMPLES = {"result_format": "BASIC", "partial_unexpected_count": 5}


@dataclass(frozen=True)
class Checked:
    """A verdict, and GX's own result for its Data Docs."""

    verdict: Verdict
    result: ExpectationSuiteValidationResult


def check(stage: str, rows: DataFrame, suite: Sequence[Expectation], sensitive: frozenset[str], run: str) -> Checked:
    """Validate rows against a suite; broken rules are told with counts and a few offending values.

    Of a rule on a sensitive column nothing is told but whether it held: a count of few rows may tell of one person.

    Args:
        stage: What is checked, in words.
        run: The name under which Data Docs show it.

    Raises:
        MillraceError: If an expectation could not be evaluated; GX itself would only count it as failed.
    """
    result = _run(stage, rows, suite, COUNTS_ONLY, run)
    shown = [e for e, r in zip(suite, result.results, strict=True) if not r.success and not _columns(r) & sensitive]
    if shown:
        examples = {_rule(r): r for r in _run(stage, rows, shown, WITH_EXAMPLES, run).results}
        result.results = [examples.get(_rule(r), r) for r in result.results]
    findings = tuple(_finding(r, private=bool(_columns(r) & sensitive)) for r in result.results)
    for one in result.results:
        if _columns(one) & sensitive:
            one.result = {}
    return Checked(Verdict(stage, findings), result)


def _run(
    stage: str, rows: DataFrame, suite: Sequence[Expectation], result_format: dict[str, Any], run: str
) -> ExpectationSuiteValidationResult:
    context = gx.get_context(project_config=_config(), mode="ephemeral")
    asset = context.data_sources.add_spark("lake").add_dataframe_asset(stage)
    data = asset.add_batch_definition_whole_dataframe("rows")
    # A suite takes expectations over and gives them ids; the caller's may be run again.
    expectations = [expectation.copy(deep=True) for expectation in suite]
    added = context.suites.add(gx.ExpectationSuite(stage, expectations=expectations))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=stage, data=data, suite=added))
    checkpoint = gx.Checkpoint(name=stage, validation_definitions=[definition], result_format=result_format)
    outcome = context.checkpoints.add(checkpoint).run({"dataframe": rows}, run_id=RunIdentifier(run_name=run))
    (result,) = outcome.run_results.values()
    by_rule = {_rule(r): r for r in result.results}
    result.results = [by_rule[e.meta["rule"]] for e in suite]
    for one in result.results:
        _refuse_fault(stage, one)
    return result


def _config() -> DataContextConfig:
    # No analytics, no bars in a task's log, no folder for a site: the page is rendered by `data_docs`.
    return DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        analytics_enabled=False,
        progress_bars={"globally": False},
    )


def _refuse_fault(stage: str, result: ExpectationValidationResult) -> None:
    told = result.exception_info or {}
    # One exception, or one for each metric.
    faults = [told] if "raised_exception" in told else list(told.values())
    raised = [fault for fault in faults if fault.get("raised_exception")]
    if raised:
        raise MillraceError(
            "An expectation could not be evaluated",
            place=f"{stage}, {_rule(result)}",
            found=str(raised[0].get("exception_message")),
            expected="a result, passed or failed",
            fix="a column may be missing or of another type: run transform_data again, which fits the table's columns",
        )


def _finding(result: ExpectationValidationResult, *, private: bool) -> Finding:
    told, kwargs = result.result, result.expectation_config.kwargs
    if private:
        held = bool(result.success)
        return Finding(_rule(result), kwargs.get("column"), "holds" if held else "broken", "holds", held)
    broken = told.get("unexpected_count")
    if broken is not None:
        observed: str | float = f"{broken} of {told['element_count']} rows"
        limit: str | float = "0 rows"
    else:
        observed = told.get("observed_value", "")
        limit = f"≥ {kwargs['min_value']}" if "min_value" in kwargs else f"{kwargs.get('column_set')}"
        observed = observed if isinstance(observed, int | float) else str(observed)
    column = kwargs.get("column")
    return Finding(_rule(result), column, observed, limit, bool(result.success))


def _rule(result: ExpectationValidationResult) -> str:
    return str(result.expectation_config.meta["rule"])


def _columns(result: ExpectationValidationResult) -> set[str]:
    kwargs = result.expectation_config.kwargs
    single = {kwargs.get(name) for name in ("column", "column_A", "column_B")} - {None}
    return single | set(kwargs.get("column_list", []))
