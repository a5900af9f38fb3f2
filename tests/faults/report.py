"""docs/reports/faults.md: what each fault came to, when it was seen last. A run tells of the faults that it played."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from millrace.settings import ROOT

REPORT = ROOT / "docs" / "reports" / "faults.md"
HEAD = """\
# Faults in the middle of the work

Each fault strikes at a known moment, most of them in the middle of a commit. Afterwards bronze, silver, quarantine,
gold and the warehouse must hold, to the last value, what they hold after an undisturbed run; and until then readers
must see what was published before, whole. Written by `make test-faults`; a time is told where Airflow mends by itself.

Other tests show more faults, the first three in each `make test`: the Spark server killed while it merges silver
(`tests/faults/test_spark_killed.py`), Ray's head killed in the middle of a search (`test_search_killed.py`), an attempt
that was given up and comes back (`test_zombie.py`), the load of the star schema killed before its commit
(`tests/steps/test_load_star.py`), two attempts at once (`tests/steps/test_ingest_files.py`, `test_transform.py`).
Kills at random moments are in `make nemesis`. `tests/faults/test_drills.py` plays each `millrace drill` on a running
Airflow: among them a lost asset event, a store that is gone, and a killed Spark server.

| fault | found | from the fault to the end | seen on |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Line:
    """What became of one fault."""

    fault: str
    found: str
    seconds: float | None = None

    def __str__(self) -> str:
        time = "" if self.seconds is None else f"{self.seconds:.0f} s"
        return f"| {self.fault} | {self.found} | {time} | {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores |"


def write_report(lines: list[Line]) -> None:
    """Put lines into the page; those of other faults stay as they were last seen."""
    kept: dict[str, str] = {}
    if REPORT.exists():
        table = REPORT.read_text(encoding="utf-8").rpartition("|---|---|---|---|\n")[2]
        kept = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines() if line.startswith("| ")}
    kept |= {line.fault: str(line) for line in lines}
    REPORT.write_text(HEAD + "".join(f"{kept[fault]}\n" for fault in sorted(kept)), encoding="utf-8")
