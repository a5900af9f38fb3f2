"""Levels of training and deployment: what is recorded against what is there. Each returns why, in words, or None."""

from millrace.adapters import champions, lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.steps.roll_out import version_to_deploy


def pending_train(problem: Problem) -> str | None:
    """Why a training is due: there is no model yet, or enough labelled rows are new since the last one.

    What counts as the last training is the newest registered version, whatever the gate said of it: training again on
    the same rows would only be refused again.
    """
    table = names.gold(problem.problem)
    head = lake.head(table) if lake.table_exists(table) else None
    if head is None:
        return None
    labelled = lake.count(table, where="label IS NOT NULL")
    if labelled == 0:
        return None
    trained = [step for step in champions.transitions(problem.problem) if step.state == "registered"]
    if not trained:
        return f"no model yet, gold holds {labelled} labelled rows"
    limit = problem.schedules.retrain_after_new_rows
    before = int((trained[-1].detail or {}).get("labelled_rows", 0))
    if limit is not None and labelled - before >= limit:
        return f"{labelled - before} labelled rows are new since version {trained[-1].version}"
    return None


def pending_deploy(problem: Problem) -> str | None:
    """Why a deployment is due: a version that passed the gate, and is not barred, is newer than the champion."""
    version = version_to_deploy(problem.problem)
    if version is None:
        return None
    champion = champions.current(problem.problem)
    return f"version {version} passed the gate, the champion is {f'version {champion.version}' if champion else 'none'}"
