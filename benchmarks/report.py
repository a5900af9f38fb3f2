"""What a benchmark leaves behind: one page a benchmark under docs/reports/, written by the command that measured."""

import os
from datetime import UTC, datetime

from millrace.settings import ROOT

FOLDER = ROOT / "docs" / "reports"


def write(name: str, title: str, found: dict[str, str], *, how: str) -> None:
    """Write docs/reports/bench-<name>.md.

    Args:
        found: What was measured → its figure, with its unit.
        how: What was done, in a sentence or two.
    """
    load = os.getloadavg()[0]
    lines = [f"# {title}", "", how, "", "| | |", "|---|---|"]
    lines += [f"| {what} | {figure} |" for what, figure in found.items()]
    lines += [
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, load average {load:.1f}.",
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"bench-{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n" + "\n".join(lines[4:-2]))
