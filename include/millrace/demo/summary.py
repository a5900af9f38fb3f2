"""The page at the end of the demo: what happened to the rows, which model serves, and one explained prediction."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from millrace.adapters import champions, fleet, lake, package_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.demo.follow import STAGES, Journey
from millrace.demo.landing import Landed


def print_summary(
    problems: list[Problem], journeys: list[Journey], landed: Mapping[str, Landed], started: datetime, console: Console
) -> int:
    """Print the page; returns 1 if the quarantine is not exactly what the simulator broke, else 0."""
    total = (datetime.now(UTC) - started).total_seconds()
    console.rule(f"[bold]Served in {total / 60:.1f} minutes")
    console.print(_stages(journeys))
    receipts = {problem.problem: _receipt(problem) for problem in problems}
    console.print(_rows(problems, receipts))
    for problem in problems:
        console.print(_champion(problem))
        console.print(_prediction(problem))
    wrong = [text for name, file in landed.items() if (text := _surprise(name, file, receipts[name]))]
    for text in wrong:
        console.print(f"[red]✗[/] {text}")
    return 1 if wrong else 0


def _stages(journeys: list[Journey]) -> Table:
    table = Table("problem", *STAGES, "file → served", title="Wall time of each stage (seconds)")
    for journey in journeys:
        table.add_row(
            journey.problem, *(f"{journey.runs[stage].seconds:.0f}" for stage in STAGES), f"{journey.seconds:.0f}"
        )
    return table


def _receipt(problem: Problem) -> dict[str, object]:
    head = lake.newest_with(names.silver(problem.source_name), "millrace.receipt")
    return json.loads(head.properties["millrace.receipt"]) if head else {}


def _rows(problems: list[Problem], receipts: Mapping[str, Mapping[str, object]]) -> Table:
    table = Table("problem", "read", "quarantined", "reasons", "in gold", title="Rows of the newest batch")
    for problem in problems:
        receipt = receipts[problem.problem]
        by_reason = receipt.get("by_reason") or {}
        assert isinstance(by_reason, dict)
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(by_reason.items()))
        table.add_row(
            problem.problem,
            str(receipt.get("rows_read", 0)),
            str(receipt.get("rows_quarantined", 0)),
            reasons or "none",
            str(lake.count(names.gold(problem.problem))),
        )
    return table


def _surprise(name: str, file: Landed, receipt: Mapping[str, object]) -> str | None:
    if file.expected_by_reason is None or receipt.get("by_reason") == file.expected_by_reason:
        return None
    return f"{name}: quarantined {receipt.get('by_reason')}, but the simulator broke {file.expected_by_reason}"


def _champion(problem: Problem) -> Table:
    champion = champions.current(problem.problem)
    if champion is None:
        return Table(title=f"{problem.title}: no champion")
    table = Table(
        "gate",
        "observed",
        "limit",
        "",
        title=f"{problem.title}: champion version {champion.version}",
        title_justify="left",
    )
    for step in champions.transitions(problem.problem, champion.version):
        if step.state == "passed":
            for condition in (step.detail or {}).get("conditions", []):
                mark = "[green]✓[/]" if condition["passed"] else "[red]✗[/]"
                table.add_row(condition["name"], f"{condition['observed']}", f"{condition['limit']}", mark)
    return table


def _prediction(problem: Problem) -> Panel:
    champion = champions.current(problem.problem)
    assert champion is not None  # the journey ended in a deployment
    golden = json.loads(package_store.get(champion.uri)["golden.json"])
    row = golden[0]["row"]
    told = fleet.predict(fleet.replicas()[0], problem.problem, [row])["predictions"][0]
    factors = "\n".join(
        f"  {factor['contribution']:+.2f}  {factor['column']} = {factor['value']}" for factor in told["factors"]
    )
    text = (
        f"{json.dumps(row, ensure_ascii=False)}\n\n"
        f"probability [bold]{told['probability']:.3f}[/], risk [bold]{told['risk']}[/], "
        f"decided by {told['decided_by']}\n{factors or '  ' + str(told['reason'])}\n\n"
        f"[dim]prediction {told['prediction_id']}; factors are log-odds[/]"
    )
    return Panel(text, title=f"One prediction of {problem.title} (a synthetic row)", expand=False)
