"""Step: leave one page of a run, whatever became of it, and link it from the runs that it goes back to."""

from dataclasses import replace
from typing import Any

from millrace.adapters import object_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.reporting.page import Cell, Link, Page
from millrace.reporting.render import render
from millrace.settings import get_settings
from millrace.steps.run_report.record import RunRecord, report_url, save, saved


def report_run(problem: Problem, record: RunRecord) -> dict[str, Any]:
    """Write the page of a run, and those of the runs before it that it adds to. Repeated, it writes the same again.

    Returns:
        report (HTTP address), report_uri, outcome.
    """
    if record.stage == "transform":
        from millrace.steps.run_report.transform import measure

        record = record.model_copy(update={"measured": measure(problem, record)})
    save(record)
    page, html = _write(problem, record)
    for stage, run_key in _linked(problem, record, html):
        earlier = saved(problem.problem, stage, run_key)
        if earlier is not None:
            _write(problem, earlier)
    return {
        "report": report_url(problem.problem, record.stage, record.run_key),
        "report_uri": f"s3://{get_settings().reports_bucket}/{_key(record)}",
        "outcome": page.outcome,
    }


def _write(problem: Problem, record: RunRecord) -> tuple[Page, str]:
    page = replace(_page(problem, record), facts=_facts(record))
    html = render(page)
    object_store.put(get_settings().reports_bucket, _key(record), html.encode(), "text/html; charset=utf-8")
    return page, html


def _page(problem: Problem, record: RunRecord) -> Page:
    # Imported here: the stages of the model bring MLflow, which takes seconds to import, and transform does without.
    match record.stage:
        case "transform":
            from millrace.steps.run_report.transform import transform_page as page_of
        case "train":
            from millrace.steps.run_report.train import train_page as page_of
        case _:
            from millrace.steps.run_report.deploy import deploy_page as page_of
    return page_of(problem, record)


def _key(record: RunRecord) -> str:
    return names.run_report(record.problem, record.stage, record.run_key)


def _facts(record: RunRecord) -> tuple[tuple[str, Cell], ...]:
    told: list[tuple[str, Cell]] = [("run", Link(record.run_id, record.url)), ("started", record.trigger)]
    if record.started is not None:
        told.append(("at", f"{record.started:%Y-%m-%d %H:%M:%S} UTC"))
    return tuple(told)


def _linked(problem: Problem, record: RunRecord, html: str) -> list[tuple[str, str]]:
    """Link the page from MLflow; tells stage and run key of the runs whose results this one took up."""
    if record.stage == "train":
        from millrace.steps.run_report import train

        train.link(problem, record, html)
        return train.runs_before(problem, record)
    if record.stage == "deploy":
        from millrace.steps.run_report import deploy

        deploy.link(problem, record)
        return deploy.runs_before(problem, record)
    return []
