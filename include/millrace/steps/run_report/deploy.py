"""The report of a deploy run: what was verified, what moved from where to where, what each replica answered."""

from typing import Any

from millrace.adapters import champions, registry
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.reporting.page import Cell, Facts, Link, Page, Section, Stat, Table, Text
from millrace.steps.held import held
from millrace.steps.run_report.parts import code, failures, first_failure, outcome, plural, timings
from millrace.steps.run_report.record import RunRecord, report_url


def deploy_page(problem: Problem, record: RunRecord) -> Page:
    """The page, from what the tasks told and from the history of champions."""
    moved, version = record.result("move_champion"), record.results.get("choose_version")
    word, tone = outcome(record, "in force")
    if not record.failed and version is None:
        word, tone = "nothing to do", "muted"
    if record.failed and moved.get("moved"):
        word = "put back"
    return Page(
        title=problem.title,
        subtitle=f"{names.STAGES['deploy']} · run report",
        outcome=word,
        tone=tone,
        verdict=_verdict(problem.problem, record, word, moved, version),
        stats=_stats(record, moved),
        sections=(
            *failures(record, "Why it was put back" if word == "put back" else ""),
            *_verified(record),
            *_move(problem, moved),
            *_fleet(record),
            *_lineage(problem, version),
            timings(record),
        ),
    )


def runs_before(problem: Problem, record: RunRecord) -> list[tuple[str, str]]:
    """The training run that made the version."""
    registered = _registered(problem, record.results.get("choose_version"))
    return [("train", str(registered["run_key"]))] if "run_key" in registered else []


def link(problem: Problem, record: RunRecord) -> None:
    """Let the MLflow run of the version, if there is one, carry the page's address."""
    registered = _registered(problem, record.results.get("choose_version"))
    if "mlflow_run_id" in registered:
        url = report_url(problem.problem, "deploy", record.run_key)
        registry.annotate_run(str(registered["mlflow_run_id"]), {"millrace.deploy_report": url}, {})


def _registered(problem: Problem, version: int | None) -> dict[str, Any]:
    """What was recorded when a version was registered; nothing for one that never was."""
    if version is None or champions.state_of(problem.problem, int(version)) is None:
        return {}
    return champions.registration(problem.problem, int(version))


def _verdict(problem: str, record: RunRecord, word: str, moved: dict[str, Any], version: int | None) -> str:
    if word == "nothing to do":
        if why := held(problem):
            return f"Nothing was deployed: {problem} is {why}."
        return "No version waits: the newest that passed its gate is in force, or is barred."
    if record.failed:
        kept = "The champion from before is in force again." if word == "put back" else "The champion stays as it was."
        if word == "put back" and moved["previous"] is None:
            kept = "There is no champion, as before."
        return f"{first_failure(record)} {kept}"
    if not moved.get("moved"):
        return f"Version {version} was in force already, and answers as it was built to."
    old = f"in place of version {moved['previous']['version']}" if moved["previous"] else "the first of this problem"
    return f"Version {version} is the champion, {old}, on every replica, and answers as it was built to."


def _stats(record: RunRecord, moved: dict[str, Any]) -> tuple[Stat, ...]:
    stats = []
    if moved:
        before = moved["previous"]["version"] if moved["previous"] else "none"
        stats.append(Stat("champion", f"{before} → {moved['version']}", f"generation {moved['generation']}"))
    if replicas := record.result("await_fleet").get("replicas"):
        stats.append(Stat("replicas", str(len(replicas)), "serve this generation"))
    if tested := record.result("smoke_test"):
        stats.append(
            Stat("smoke test", plural(tested["rows"], "row"), f"golden, at most {tested['difference']:.1g} off")
        )
    if verified := record.result("verify_package"):
        note = f"of {verified['latency_limit_ms']:g} ms, with its factors"
        stats.append(Stat("one row takes", f"{verified['latency_p95_ms']:g} ms", note))
    return tuple(stats)


def _verified(record: RunRecord) -> list[Section]:
    told = record.result("verify_package")
    if not told:
        return []
    rows: tuple[tuple[str, Cell], ...] = (
        ("package", code(told["uri"])),
        ("SHA-256 of its content", code(told["content_hash"])),
        ("golden rows", f"{told['golden_rows']} answered as recorded, at most {told['golden_difference']:.1g} off"),
        ("latency", f"{told['latency_p95_ms']:g} ms, 95th percentile; limit {told['latency_limit_ms']:g} ms"),
    )
    return [Section("Verified in a process of its own", (Facts(rows),))]


def _move(problem: Problem, moved: dict[str, Any]) -> list[Section]:
    if not moved:
        return []
    # Of this move and of what undid it, if anything did: the history has every generation.
    since = [one for one in champions.history(problem.problem) if one.generation >= moved["generation"]][::-1]
    rows: list[tuple[Cell, ...]] = [
        (str(one.generation), f"version {one.version}", one.actor, one.reason, f"{one.moved_at:%Y-%m-%d %H:%M:%S} UTC")
        for one in since
    ]
    head = ("generation", "in force", "who", "why", "when")
    return [Section("From this move on", (Table(head, tuple(rows)),))]


def _fleet(record: RunRecord) -> list[Section]:
    replicas = record.result("await_fleet").get("replicas")
    if not replicas:
        return []
    tested = record.result("smoke_test")
    answered: Cell = Text("✓ answered every golden row", "good") if tested else Text("not asked", "muted")
    rows: list[tuple[Cell, ...]] = [
        (code(url), f"version {one['version']}", f"generation {one['generation']}", answered)
        for url, one in replicas.items()
    ]
    return [Section("The fleet", (Table(("replica", "serves", "", "smoke test"), tuple(rows)),))]


def _lineage(problem: Problem, version: int | None) -> list[Section]:
    registered = _registered(problem, version)
    if not registered or version is None:
        return []
    told: list[tuple[str, Cell]] = [
        ("version", f"{version}, now {champions.state_of(problem.problem, int(version))}"),
        ("gold it learned from", code(f"snapshot {registered['gold_snapshot']}")),
    ]
    if "run_key" in registered:
        url = report_url(problem.problem, "train", str(registered["run_key"]))
        told.append(("trained by", Link("its training run: gate, curves, search", url)))
    if "mlflow_run_id" in registered:
        told.append(("MLflow", Link("its run", registry.run_url(problem.problem, str(registered["mlflow_run_id"])))))
    told.append(("undo", code(f'millrace rollback {problem.problem} --reason "…"')))
    return [Section("Where it came from", (Facts(tuple(told)),))]
