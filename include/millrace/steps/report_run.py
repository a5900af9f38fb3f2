"""Step: leave one page of a run, whatever became of it, and link it from the runs that it led to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from millrace.adapters import object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.reporting.page import Cell, Link, Page
from millrace.reporting.render import render
from millrace.settings import get_settings
from millrace.steps import report_deploy, report_train, report_transform, run_record
from millrace.steps.run_record import RunRecord

PAGES: dict[str, Callable[[Problem, RunRecord], Page]] = {
    "transform": report_transform.report_transform,
    "train": report_train.report_train,
    "deploy": report_deploy.report_deploy,
}


def report_run(problem: Problem, record: RunRecord) -> dict[str, Any]:
    """Write the page of a run, and those of the runs before it that it adds to. Repeated, it writes the same again.

    Returns:
        report (HTTP address), report_uri, outcome.
    """
    measured = report_transform.measure(problem, record) if record.stage == "transform" else {}
    record = record.model_copy(update={"measured": measured})
    run_record.save(record)
    page, html = _write(problem, record)
    if record.stage == "train":
        report_train.link(problem, record, html)
    if record.stage == "deploy":
        report_deploy.link(problem, record)
    for stage, run_key in _before(problem, record):
        earlier = run_record.saved(problem.problem, stage, run_key)
        if earlier is not None:
            _write(problem, earlier)
    key = names.run_report(problem.problem, record.stage, record.run_key)
    return {
        "report": run_record.report_url(problem.problem, record.stage, record.run_key),
        "report_uri": f"s3://{get_settings().reports_bucket}/{key}",
        "outcome": page.outcome,
    }


def _write(problem: Problem, record: RunRecord) -> tuple[Page, str]:
    page = replace(PAGES[record.stage](problem, record), facts=_facts(record))
    html = render(page)
    key = names.run_report(problem.problem, record.stage, record.run_key)
    object_store.put(get_settings().reports_bucket, key, html.encode(), "text/html; charset=utf-8")
    return page, html


def _facts(record: RunRecord) -> tuple[tuple[str, Cell], ...]:
    told: list[tuple[str, Cell]] = [("run", Link(record.run_id, record.url)), ("started", record.trigger)]
    if record.started is not None:
        told.append(("at", f"{record.started:%Y-%m-%d %H:%M:%S} UTC"))
    return tuple(told)


def _before(problem: Problem, record: RunRecord) -> list[tuple[str, str]]:
    """Stage and run key of the runs whose results this one took up."""
    if record.stage == "train":
        return report_train.runs_before(problem, record)
    return report_deploy.runs_before(problem, record) if record.stage == "deploy" else []
