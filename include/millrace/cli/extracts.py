"""The command that reads a table once, and how `millrace status` shows what was read."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.terminal import ProblemName, console, find_problem
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem


def extract(
    problem: ProblemName,
    full: Annotated[
        bool,
        typer.Option("--full", help="Read every row, whatever was landed before: after a database was restored."),
    ] = False,
) -> None:
    """Read a problem's table now, and land what is new as a file (DAG run of stage 0; the rest follows by itself).

    Rows that were deleted in the table are not seen: they stay in silver
    and gold, with --full too.
    """
    from millrace.adapters.airflow_api import AirflowApi

    contract = find_problem(problem)
    if contract.source.extract is None:
        raise MillraceError(
            f"The problem {contract.problem} extracts no table",
            place=f"problem {contract.problem}, source {contract.source_name}",
            found="no section `extract`",
            expected="`extract: {}`, or more",
            fix=f"say it in include/problems/{contract.problem}.yaml; docs/how-to/extract-a-table.md tells how",
        )
    api, dag_id = AirflowApi(), names.dag_id(contract.problem, "extract")
    run_id = api.trigger(dag_id, {"full": full})
    console.print(f"started: {api.url}/dags/{dag_id}/runs/{run_id}", soft_wrap=True)


def extracts_table(problems: list[Problem]) -> Table | None:
    """A line for each problem whose table is extracted; None where none is."""
    from millrace.steps.extracts_state import extracts_state

    extracted = [problem for problem in problems if problem.extract_table]
    if not extracted:
        return None
    columns = ("problem", "table", "last landed", "up to", "last look")
    table = Table(*(Column(words, overflow="fold") for words in columns), title="Extracts", title_justify="left")
    for problem in extracted:
        state = extracts_state(problem)
        told = (problem.problem, str(problem.extract_table), state.landed, state.until, state.looked)
        table.add_row(*map(escape, told))
    return table
