"""Step: fix what a run trains on. Gold's head gets a tag, the contract a copy; everything after reads those."""

from typing import Any

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps import run_folder


def load_training_data(problem: Problem, *, run_key: str) -> dict[str, Any]:
    """Tag gold's current snapshot for a run. Repeated, it returns the snapshot of the first time.

    Returns:
        run_key, snapshot_id, tag, rows, labelled_rows.

    Raises:
        MillraceError: If gold holds no labelled row.
    """
    table, tag = names.gold(problem.problem), names.training_tag(run_key)
    head = lake.head(table, ref=tag) or lake.head(table)
    labelled = lake.count(table, head.snapshot_id, where="label is not null") if head else 0
    if head is None or labelled == 0:
        raise MillraceError(
            "There is nothing to train on",
            place=f"table {table}",
            found="no rows" if head is None else f"{lake.count(table, head.snapshot_id)} rows, none with a label",
            expected="rows with a label",
            fix=f"land files of {problem.source_name} that tell whether {problem.label.in_words()}",
        )
    lake.create_tag(table, tag, head.snapshot_id)
    if run_folder.read(problem.problem, run_key, run_folder.CONTRACT) is None:
        run_folder.write(problem.problem, run_key, run_folder.CONTRACT, problem.model_dump(mode="json"))
    return {
        "run_key": run_key,
        "snapshot_id": head.snapshot_id,
        "tag": tag,
        "rows": lake.count(table, head.snapshot_id),
        "labelled_rows": labelled,
    }
