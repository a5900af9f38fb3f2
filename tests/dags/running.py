"""Runs one DAG to its end in this process, with `dag.test()`: real tasks on the real stack, without a scheduler."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import ROOT

if TYPE_CHECKING:
    from airflow.sdk import DAG


@dataclass(frozen=True)
class FinishedRun:
    """What became of a run: its state, and the state, number of tries and result of each task."""

    run_id: str
    state: str
    tasks: dict[str, str | None]
    tries: dict[str, int]
    results: dict[str, Any]
    assets: list[str]
    """Names of the assets that its tasks said are new."""


def run_stage(problem: Problem, stage: str, **params: Any) -> FinishedRun:
    """Run one stage of a problem, as a person would start it by hand with these params."""
    return run_dag(names.dag_id(problem.problem, stage), stage, **params)


def run_dag(dag_id: str, file: str, **params: Any) -> FinishedRun:
    """Run a DAG of `dags/<file>.py`."""
    _make_database()
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    run = load_dag(dag_id, file).test(run_conf=params)
    with create_session() as session:
        found = run.get_task_instances(session=session)
        tasks = {ti.task_id: ti.state and str(ti.state) for ti in found}
        tries = {ti.task_id: ti.try_number for ti in found}
        xcoms = session.scalars(select(XComModel).where(XComModel.dag_id == dag_id, XComModel.run_id == run.run_id))
        results = {x.task_id: XComModel.deserialize_value(x) for x in xcoms if x.key == "return_value"}
        events = select(AssetModel.name).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        events = events.where(AssetEvent.source_dag_id == dag_id, AssetEvent.source_run_id == run.run_id)
        assets = sorted(session.scalars(events))
    return FinishedRun(run.run_id, str(run.state), tasks, tries, results, assets)


def load_dag(dag_id: str, file: str) -> "DAG":
    """The DAG, as its file makes it now."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags" / f"{file}.py"))
    assert not bag.import_errors, bag.import_errors
    return bag.dags[dag_id]


@cache
def _make_database() -> None:
    """Airflow's tables in this session's own file."""
    from airflow import settings
    from airflow.utils.db import initdb

    settings.initialize()
    initdb()
    # It warns each second that nothing can run while a task waits for its next try.
    logging.getLogger("airflow.sdk.definitions.dag").setLevel(logging.ERROR)
