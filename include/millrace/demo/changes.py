"""The demo's second part: applications change their tables for a minute, and silver must end as they left them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from millrace.adapters import lake
from millrace.contract import names
from millrace.simulation.live import Played
from millrace.steps.change_latency import PLACES, Latency, change_latency

SECONDS = 60
RATE = 5
"""Rows a second of each application."""
PATIENCE_SECONDS = 300
LOOK_EVERY_SECONDS = 2
DIFFERENCES_TOLD = 3
ROW_MESSAGES = "operation IN ('c', 'u', 'd', 'r')"


def play_live_changes(applications: Sequence[Played], console: Console) -> bool:
    """Let applications work on their tables, wait, and tell how their changes came; whether silver holds them all."""
    if not applications:
        return True
    began, begun = datetime.now(UTC), time.monotonic()
    with console.status("") as shown, ThreadPoolExecutor(len(applications)) as threads:

        def tell() -> None:
            rows = sum(each.done.total() for each in applications)
            shown.update(f"Live changes, {max(0.0, begun + SECONDS - time.monotonic()):.0f} s to go: {rows:,} rows")

        ends = [
            threads.submit(each.play, rate=RATE, until=lambda: time.monotonic() - begun > SECONDS, tell=tell)
            for each in applications
        ]
        for end in ends:
            end.result()
        late = time.monotonic() + PATIENCE_SECONDS
        while (behind := _behind(applications)) and time.monotonic() < late:
            shown.update(escape(f"Waits until silver and gold hold all of it: {'; '.join(behind)}"))
            time.sleep(LOOK_EVERY_SECONDS)
    console.print(_rows(applications))
    console.print(_seconds(applications, began))
    for words in behind:
        console.print(f"[red]✗[/] {escape(words)}")
    if not behind:
        console.print("[green]✓[/] Silver and gold hold what the applications left in their tables, row for row.")
    return not behind


def _behind(applications: Sequence[Played]) -> list[str]:
    found = []
    for each in applications:
        problem = each.problem
        if differences := each.differences():
            found.append(f"{problem.problem}: {'; '.join(differences[:DIFFERENCES_TOLD])}")
            continue
        gold = set(lake.read(names.gold(problem.problem), columns=("row_key",))["row_key"].to_pylist())
        if lacking := each.world.silver().keys() - gold:
            found.append(f"{problem.problem}: {len(lacking)} rows are not in gold")
    return found


def _rows(applications: Sequence[Played]) -> Table:
    columns = ("problem", "committed", "captured", "in silver", "quarantined")
    table = Table(*columns, title="Changes (rows)")
    for each in applications:
        problem, source = each.problem, each.problem.source_name
        table.add_row(
            problem.problem,
            f"{each.done.total():,}",
            f"{lake.count(names.bronze_changes(source), where=ROW_MESSAGES):,}",
            f"{len(each.world.silver()):,}",
            f"{lake.count(names.quarantine(source)):,}",
        )
    table.caption = "an update of a key is captured as two changes; `millrace quarantine <problem>` shows the rows"
    return table


def _seconds(applications: Sequence[Played], began: datetime) -> Table:
    table = Table("problem", *PLACES, title="From the commit of a live change (seconds, p50 / p99)")
    for each in applications:
        latency = change_latency(each.problem, began)
        table.add_row(each.problem.problem, *(_words(latency.get(place)) for place in PLACES))
    return table


def _words(latency: Latency | None) -> str:
    return "–" if latency is None else f"{latency.p50:.1f} / {latency.p99:.1f}"
