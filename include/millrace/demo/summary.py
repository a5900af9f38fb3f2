"""The page at the end of the demo: what happened to the rows, which model serves, and one explained prediction."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from millrace.adapters import champions, fleet, lake, package_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.demo.arrival import Arrived
from millrace.demo.follow import AFTER_INGESTION, Journey


class Receipt(TypedDict):
    """What silver's newest commit says of its batch."""

    rows_read: int
    rows_superseded: int
    rows_quarantined: int
    by_reason: dict[str, int]


def print_summary(
    problems: list[Problem],
    journeys: list[Journey],
    arrived: Mapping[str, Arrived],
    started: datetime,
    console: Console,
) -> bool:
    """Print the page; returns whether the quarantine of simulated files is exactly what the simulator broke."""
    total = (datetime.now(UTC) - started).total_seconds()
    console.rule(f"[bold]Served after {total // 60:.0f} min {total % 60:.0f} s")
    console.print(_stages(journeys))
    receipts = {problem.problem: _receipt(problem) for problem in problems}
    console.print(_rows(problems, receipts))
    for problem in problems:
        console.print(_champion(problem))
        console.print(_prediction(problem))
    wrong = [text for name, rows in arrived.items() if (text := _surprise(name, rows, receipts[name]))]
    if not wrong and any(rows.expected_by_reason is not None for rows in arrived.values()):
        console.print("[green]✓[/] Quarantine holds exactly the rows that the simulator broke, for the right reasons.")
    for text in wrong:
        console.print(f"[red]✗[/] {text}")
    return not wrong


def _stages(journeys: list[Journey]) -> Table:
    columns = ("problem", "came by", "ingest", *AFTER_INGESTION, "→ served")
    table = Table(*columns, title="Wall time of each stage (seconds)")
    for journey in journeys:
        took = (f"{journey.runs[stage].seconds:.0f}" for stage in journey.stages)
        came_by = journey.ingestion.removeprefix("ingest_")
        table.add_row(journey.problem, came_by, *took, f"{journey.seconds:.0f}")
    return table


def _receipt(problem: Problem) -> Receipt:
    table = names.silver(problem.source_name)
    head = lake.newest_with(table, "millrace.receipt")
    assert head is not None, f"{table} holds no receipt"
    receipt: Receipt = json.loads(head.properties["millrace.receipt"])
    return receipt


def _rows(problems: list[Problem], receipts: Mapping[str, Receipt]) -> Table:
    table = Table(
        "problem",
        "ingested",
        "duplicates",
        "quarantined",
        "why (rows by kind)",
        "in gold",
        title="Rows of the newest batch",
    )
    for problem in problems:
        receipt = receipts[problem.problem]
        table.add_row(
            problem.problem,
            f"{receipt['rows_read']:,}",
            f"{receipt['rows_superseded']:,}",
            f"{receipt['rows_quarantined']:,}",
            _kinds(receipt["by_reason"]),
            f"{lake.count(names.gold(problem.problem)):,}",
        )
    table.caption = "`millrace quarantine <problem>` shows the rows, each with all its reasons"
    return table


def _kinds(by_reason: Mapping[str, int]) -> str:
    """Reasons such as `range:Age` summed by their kind: the page is to be read, the rows are kept elsewhere."""
    kinds: Counter[str] = Counter()
    for reason, count in by_reason.items():
        kinds[reason.split(":", 1)[0]] += count
    return ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "none"


def _surprise(name: str, rows: Arrived, receipt: Receipt) -> str | None:
    if rows.expected_by_reason is None or receipt["by_reason"] == rows.expected_by_reason:
        return None
    return f"{name}: quarantined {receipt['by_reason']}, but the simulator broke {rows.expected_by_reason}"


def _champion(problem: Problem) -> Table:
    champion = champions.current(problem.problem)
    version = f"champion is version {champion.version}" if champion else "no champion"
    table = Table("gate", "observed", "limit", "", title=f"{problem.title}: {version}", title_justify="left")
    steps = champions.transitions(problem.problem, champion.version) if champion else []
    for condition in [c for step in steps if step.state == "passed" for c in (step.detail or {})["conditions"]]:
        observed = "–" if condition["observed"] is None else f"{condition['observed']:.3g}"
        mark = "[green]✓[/]" if condition["passed"] else "[red]✗[/]"
        table.add_row(f"{condition['name']} [dim]{condition['words']}[/]", observed, f"{condition['limit']:.3g}", mark)
    return table


def _prediction(problem: Problem) -> Panel:
    champion = champions.current(problem.problem)
    assert champion is not None  # the journey ended in a deployment
    golden = json.loads(package_store.get(champion.uri)["golden.json"])
    row = golden[0]["row"]
    told = fleet.predict(fleet.replicas()[0], problem.problem, [row])["predictions"][0]
    factors = "\n".join(
        f"  {factor['contribution']:+.2f}  {factor['name']} = {factor['value']}"
        for factor in told["contributing_factors"]
    )
    text = (
        f"{json.dumps(row, ensure_ascii=False)}\n\n"
        f"probability [bold]{told['probability']:.3f}[/], risk [bold]{told['risk_category']}[/], "
        f"decided by {told['decided_by']}\n{factors or '  ' + str(told['reason'])}\n\n"
        f"[dim]prediction {told['prediction_id']}; factors are log-odds[/]"
    )
    return Panel(text, title=f"One prediction of {problem.title} (a synthetic row)", expand=False)
