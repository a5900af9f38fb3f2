"""Levels of training and deployment: what is recorded against what is there. Each returns why, in words, or None."""

from millrace.adapters import champions, lake
from millrace.contract import names
from millrace.contract.problem import Problem


def pending_train(problem: Problem) -> str | None:
    """Why a training is due: there is no model yet, or enough labelled rows are new since the last one.

    What counts as the last training is the newest registered version, whatever the gate said of it: training again on the
    same rows would only be refused again.
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
    """Why a deployment is due: a version that passed the gate is newer than the champion and was never tried."""
    newest: dict[int, str] = {step.version: step.state for step in champions.transitions(problem.problem)}
    champion = champions.current(problem.problem)
    passed = [version for version, state in newest.items() if state == "passed"]
    if not passed or (champion is not None and max(passed) <= champion.version):
        return None
    return f"version {max(passed)} passed the gate, the champion is {f'version {champion.version}' if champion else 'none'}"
