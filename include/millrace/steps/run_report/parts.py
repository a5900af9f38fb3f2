"""What the reports of all stages have in common: the outcome, what failed, how long each task took."""

from collections.abc import Sequence

from millrace.domain.promotion import Condition
from millrace.reporting.page import Bar, Block, Cell, Facts, Section, Table, Text, Tone, Words
from millrace.steps.run_report.record import Failure, RunRecord

NO_WORD = "It was ended before it could say why: the log of this task in Airflow says more."
LONGEST_FOUND = 200
"""What was found is part of the first sentence while it is not longer."""


def outcome(record: RunRecord, good: str) -> tuple[str, Tone]:
    """One word for the run; `good` where nothing failed."""
    if not record.failed:
        return good, "good"
    return ("refused", "bad") if record.is_refused else ("failed", "bad")


def first_failure(record: RunRecord) -> str:
    """What ended the run, in one sentence."""
    task = record.failed[0]
    if task.failure is None:
        return f"The task {task.task_id} failed."
    found = task.failure.found
    more = f": {found}" if found and len(found) <= LONGEST_FOUND and "\n" not in found else ""
    return f"{task.failure.problem}{more}."


def failures(record: RunRecord, title: str = "") -> list[Section]:
    """A section that tells what each failed task said; none for a run without one."""
    blocks: list[Block] = []
    for task in record.failed:
        told = task.failure or Failure(problem=NO_WORD)
        blocks.append(Words(f"{task.task_id}: {told.problem}", "bad"))
        parts = (("where", told.place), ("found", told.found), ("expected", told.expected), ("to do", told.fix))
        blocks.append(Facts(tuple((name, said) for name, said in parts if said)))
    title = title or ("Why it was refused" if record.is_refused else "What failed")
    return [Section(title, tuple(blocks))] if blocks else []


def timings(record: RunRecord) -> Section:
    """How long each task took, as Airflow recorded it."""
    longest = max((task.seconds or 0.0 for task in record.tasks), default=0.0)
    rows: list[tuple[Cell, ...]] = []
    for task in record.tasks:
        tone: Tone = {"success": "plain", "failed": "bad"}.get(task.state, "muted")  # type: ignore[assignment]
        took: Cell = Text("–", "muted")
        if task.seconds is not None and task.state not in ("skipped", "upstream_failed"):
            took = Bar(task.seconds / longest if longest else 0.0, f"{task.seconds:.1f} s", tone)
        rows.append((task.task_id, Text(words(task.state), tone), took))
    total = sum(task.seconds or 0.0 for task in record.tasks)
    return Section("Timings", (Table(("task", "state", f"time of its last try ({total:.1f} s in all)"), tuple(rows)),))


def gate(conditions: Sequence[Condition]) -> Table:
    """The conditions of the gate, the broken ones first."""
    rows = [
        (passed_or_not(one.passed), one.name, number(one.observed), number(one.limit), Text(one.words, "muted"))
        for one in sorted(conditions, key=lambda one: one.passed)
    ]
    return Table(("", "condition", "observed", "limit", "what it compares"), tuple(rows))


def passed_or_not(passed: bool) -> Text:
    return Text("✓ holds", "good") if passed else Text("✗ broken", "bad")


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"


def words(name: str) -> str:
    """A name of a task or state, as words."""
    return name.replace("_", " ")


def code(value: object) -> Text:
    """An id or a name as it is written elsewhere."""
    return Text(str(value), code=True)


def plural(count: int, one: str) -> str:
    """A count and its noun: "1 file", "2 files"."""
    return f"{count:,} {one}" + ("" if count == 1 else "s")
