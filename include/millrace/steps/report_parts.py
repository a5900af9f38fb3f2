"""What the reports of all stages have in common: the outcome, what failed, how long each task took."""

from collections.abc import Sequence

from millrace.domain.promotion import Condition
from millrace.reporting.page import Bar, Cell, Section, Table, Text, Tone, Words
from millrace.steps.run_record import RunRecord, TaskRecord

NO_WORD = "It left no word of its own: the log of this task in Airflow says more."


def outcome(record: RunRecord, good: str) -> tuple[str, Tone]:
    """One word for the run; `good` where nothing failed."""
    if not record.failed:
        return good, "good"
    return ("refused", "bad") if record.failed[0].is_verdict else ("failed", "bad")


def first_line(task: TaskRecord) -> str:
    """What a failed task said, in one sentence."""
    return task.failure.splitlines()[0] if task.failure else f"{words(task.task_id)} failed"


def failures(record: RunRecord) -> list[Section]:
    """A section that tells what each failed task said; none for a run without one."""
    if not record.failed:
        return []
    blocks = []
    for task in record.failed:
        blocks += [Words(f"Task {task.task_id}"), Words(task.failure or NO_WORD, "bad", code=True)]
    title = "Why it was refused" if record.failed[0].is_verdict else "What failed"
    return [Section(title, tuple(blocks))]


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
