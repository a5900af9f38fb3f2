"""Commands about a changed contract: what it would do, and doing it."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from millrace.cli.terminal import Actor, ProblemName, Reason, console, find_problem, who
from millrace.contract import names
from millrace.contract.errors import MillraceError, VerdictError
from millrace.contract.problem import Problem

if TYPE_CHECKING:
    from millrace.domain.planning import ColumnChanges, KeyChange
    from millrace.steps.plan_contract import Plan, RowChanges, Serving

CHANGES = 2
"""Exit code of `millrace plan --exit-code` where something is to be applied; 0: nothing, 1: an error."""
LOOK_SECONDS = 3.0


def plan(
    problem: ProblemName,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 2 where there is something to apply.")
    ] = False,
) -> None:
    """Show what a changed contract would do to rows, tables, champion and callers. Nothing is written."""
    planned = _planned(find_problem(problem))
    _show(planned)
    if planned.tables:
        console.print(f"\nTo do it: [bold]millrace apply {problem} --reason …[/]", highlight=False)
    if exit_code and planned.tables:
        raise typer.Exit(CHANGES)


def apply(
    problem: ProblemName,
    reason: Reason,
    actor: Actor = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not show the plan, and do not ask.")] = False,
    wait: Annotated[bool, typer.Option(help="Follow the rebuild to its end.")] = True,
) -> None:
    """Put a changed contract in force: silver and gold are built again from bronze, checked, and published together."""
    from millrace.steps.contract_in_force import apply_contract, is_changed

    contract = find_problem(problem)
    if not is_changed(contract):
        console.print(f"Nothing to apply: the tables of {problem} follow its problem file.")
        return
    if not yes:
        _show(_planned(contract))
        typer.confirm("Apply it?", abort=True)
    apply_contract(contract, actor=who(actor), reason=reason)
    _transform(contract, wait=wait)


def rebuild(
    problem: ProblemName,
    as_of: Annotated[datetime, typer.Option(help="The time, UTC, such as 2026-11-21T15:00:00.")],
) -> None:
    """Build gold as it would have been at an earlier time, from what bronze knew then; under a tag, main stays."""
    from millrace.adapters import connect
    from millrace.steps.rebuild_as_of import rebuild_as_of

    contract = find_problem(problem)
    with console.status(f"Building gold of {problem} as of {as_of}"), connect.session() as spark:
        done = rebuild_as_of(spark, contract, as_of.replace(tzinfo=UTC))
    console.print(f"{done['rows']:,} rows. To read them in Spark:", highlight=False)
    console.print(f"SELECT * FROM lake.{done['table']} VERSION AS OF '{done['tag']}'", highlight=False, soft_wrap=True)


def _planned(contract: Problem) -> "Plan":
    from millrace.adapters import connect
    from millrace.steps.plan_contract import plan_contract

    with console.status(f"Judging the rows of {contract.source_name}"), connect.session() as spark:
        return plan_contract(spark, contract)


def _transform(contract: Problem, *, wait: bool) -> None:
    """Start the rebuild, and follow it."""
    from millrace.adapters.airflow_api import AirflowApi

    try:
        api, dag_id = AirflowApi(), names.dag_id(contract.problem, "transform")
        run_id = api.trigger(dag_id, {})
    except MillraceError as error:
        console.print(f"[yellow]Applied, but not started:[/] {escape(error.problem)}; reconcile starts it later.")
        return
    console.print(f"started: {api.url}/dags/{dag_id}/runs/{run_id}", soft_wrap=True)
    if not wait:
        return
    with console.status("") as shown:
        while (run := api.run(dag_id, run_id)).state in ("queued", "running"):
            under_way = [task.task_id for task in api.tasks(run) if task.state == "running"]
            shown.update(f"{', '.join(under_way) or run.state} (Ctrl-C leaves it running)")
            time.sleep(LOOK_SECONDS)
    if run.state != "success":
        failed = next((task for task in api.tasks(run) if task.state == "failed"), None)
        raise VerdictError(
            "The contract is in force, and the rebuild did not end well",
            place=f"run {run_id} of {dag_id}" + (f", task {failed.task_id}" if failed else ""),
            found=api.last_error(run, failed) if failed else run.state,
            expected="a transform that ends in success",
            fix="readers keep what they had; do what it says, or put the old contract back into the problem file",
        )
    console.print(f"[green]✓[/] silver and gold of {contract.problem} follow the contract ({run.seconds:.0f} s)")


def _show(planned: "Plan") -> None:
    if not planned.tables:
        console.print(f"Nothing to apply: the tables of {planned.problem} follow its problem file.")
        return
    state = "is applied, and the tables wait for transform" if planned.applied else "is not applied"
    console.print(f"[bold]{planned.problem}[/]: the contract changed and {state}\n", highlight=False)
    _show_keys(planned.keys)
    _section("Tables built again from bronze", (escape(table) for table in planned.tables))
    for table, changes in planned.columns.items():
        _section(f"Columns of {table}", _columns(changes))
    if planned.rows:
        _show_rows(planned.rows)
    _show_serving(planned.serving)


def _show_keys(keys: "list[KeyChange] | None") -> None:
    if keys is None:
        _section("Contract", ["[dim]what changed in it is not known: the one in force was never recorded[/]"])
        return
    told = []
    for key in keys:
        old, new = (escape(str(value).removesuffix(".0")) for value in (key.before, key.after))
        if key.before is None:
            told.append(f"[green]+[/] {key.place}: {new}")
        elif key.after is None:
            told.append(f"[red]-[/] {key.place}: {old}")
        else:
            told.append(f"[yellow]~[/] {key.place}: {old} → {new}")
    _section("Contract", told)


def _columns(changes: "ColumnChanges") -> Iterable[str]:
    yield from (f"[green]+[/] {name} {kind}" for name, kind in changes.added.items())
    yield from (f"[red]-[/] {name} {kind}" for name, kind in changes.removed.items())
    yield from (f"[yellow]~[/] {name} {old} → {new}" for name, (old, new) in changes.retyped.items())


def _show_rows(rows: "RowChanges") -> None:
    compared = rows.compared
    table = Table("quarantine", "rows", "reasons", title=None, box=None, padding=(0, 2, 0, 0))
    table.add_row("[red]entering[/]", f"{compared.entering:,}", _reasons(compared.entering_by_reason))
    table.add_row("[green]leaving[/]", f"{compared.leaving:,}", _reasons(compared.leaving_by_reason))
    table.add_row("staying", f"{compared.staying:,}", "")
    _section(f"Rows: {rows.read:,} of bronze are judged again", [])
    console.print(table)
    console.print(f"  silver: {rows.silver_before:,} → {rows.silver_after:,} rows", highlight=False)
    if rows.files_since:
        console.print(f"  {rows.files_since:,} files that wait in bronze are taken in, too", highlight=False)
    for file in rows.over_limit:
        share = f"{file.share:.1%} ({file.quarantined:,} of {file.rows:,} rows)"
        _warn(f"the check will refuse it: {file.file.path} {share} quarantined")
    if rows.too_few:
        _warn(f"the check will refuse it: {rows.too_few}")
    console.print()


def _show_serving(serving: "Serving | None") -> None:
    if serving is None:
        _section("Serving", ["no champion yet: nobody is answered"])
        return
    told = [f"version {serving.version} goes on to answer, under the contract that it was trained under"]
    if serving.incomparable:
        told.append(f"[yellow]![/] the next candidate is not compared with it: {escape(serving.incomparable)}")
    if not serving.callers:
        told.append("[green]✓[/] callers notice nothing when a version of this contract serves")
    for change in serving.callers:
        mark = "[red]breaks callers[/]" if change.breaking else "[green]compatible[/]"
        told.append(f"{mark} {escape(change.column)}: {escape(change.what)}")
    _section("Serving", told)


def _reasons(counts: Mapping[str, Any]) -> str:
    return escape(", ".join(f"{reason} {rows:,}" for reason, rows in counts.items()))


def _section(title: str, lines: Iterable[str]) -> None:
    console.print(f"[bold]{escape(title)}[/]", highlight=False)
    shown = False
    for line in lines:
        shown = True
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    if shown:
        console.print()


def _warn(words: str) -> None:
    console.print(f"  [yellow]![/] {escape(words)}", highlight=False, soft_wrap=True)
