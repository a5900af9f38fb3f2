"""The report of a training run: what was searched, how good the best is, what the gate said, where it all came from."""

from typing import Any

from millrace.adapters import champions, lake, registry
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.promotion import Condition, Evidence, judge
from millrace.reporting.page import Cell, Facts, Link, Page, Section, Stat
from millrace.steps import recorded, run_folder
from millrace.steps.run_report.model import interval_of, quality_of, search_of, value_of
from millrace.steps.run_report.parts import code, failures, first_failure, gate, number, outcome, timings
from millrace.steps.run_report.record import RunRecord, report_url


def train_page(problem: Problem, record: RunRecord) -> Page:
    """The page, from the run's folder, which holds what each job wrote when it was done, and from the registrations."""
    tuned = run_folder.read(problem.problem, record.run_key, run_folder.TUNING)
    training = run_folder.read(problem.problem, record.run_key, run_folder.TRAINING)
    conditions, evidence = _judged(problem, record, training)
    word, tone = outcome(record, "passed")
    if not record.failed and not record.result("judge_candidate"):
        word, tone = "not due", "muted"
    return Page(
        title=problem.title,
        subtitle=f"{names.STAGES['train']} · run report",
        outcome=word,
        tone=tone,
        verdict=_verdict(record, word, conditions),
        stats=_stats(record, tuned, training, evidence),
        sections=(
            *failures(record),
            *([Section("The gate", (gate(conditions),))] if conditions else []),
            *quality_of(training, evidence),
            *search_of(tuned),
            *_lineage(problem, record, training),
            timings(record),
        ),
    )


def runs_before(problem: Problem, record: RunRecord) -> list[tuple[str, str]]:
    """The transform run that wrote the gold it trained on."""
    snapshot_id = record.result("load_training_data").get("snapshot_id")
    run_key = None if snapshot_id is None else _built_by(problem, snapshot_id)
    return [] if run_key is None else [("transform", run_key)]


def link(problem: Problem, record: RunRecord, html: str) -> None:
    """Let the MLflow run, if there is one, carry the page and its address."""
    version = record.results.get("save_results")
    if version is None:
        return
    run_id = str(champions.registration(problem.problem, int(version))["mlflow_run_id"])
    url = report_url(problem.problem, "train", record.run_key)
    registry.annotate_run(run_id, {"millrace.report": url}, {"run_report.html": html.encode()})


def _judged(
    problem: Problem, record: RunRecord, training: dict[str, Any] | None
) -> tuple[tuple[Condition, ...], Evidence | None]:
    if training is None:
        return (), None
    evidence = Evidence.model_validate(training["evidence"])
    return judge(run_folder.contract_of(problem.problem, record.run_key).gate, evidence), evidence


def _verdict(record: RunRecord, word: str, conditions: tuple[Condition, ...]) -> str:
    version = record.results.get("save_results")
    if word == "not due":
        return "No training was due: too few labelled rows are new, and neither schedule nor person asked for one."
    if word == "passed":
        held = f"all {len(conditions)} conditions of the gate hold"
        return f"Version {version} passed: {held}. It may become champion."
    refused = [one for one in conditions if not one.passed]
    if version is not None and refused:
        told = "; ".join(f"{one.name} is {number(one.observed)}, limit {number(one.limit)}" for one in refused)
        return f"Version {version} was refused, and the champion stays: {told}."
    return f"{first_failure(record)} The champion stays as it was."


def _stats(
    record: RunRecord, tuned: dict[str, Any] | None, training: dict[str, Any] | None, evidence: Evidence | None
) -> tuple[Stat, ...]:
    stats = []
    if loaded := record.result("load_training_data"):
        stats.append(Stat("labelled rows", f"{loaded['labelled_rows']:,}", f"of {loaded['rows']:,} in gold"))
    if tuned is not None:
        stats.append(
            Stat("trials", str(len(tuned["trials"])), f"{tuned['seconds']:g} s, best log loss {tuned['log_loss']:.4f}")
        )
    if evidence is not None and training is not None:
        figures = evidence.model_rows.figures
        auc, ece = figures["auc"], figures["ece"]
        stats.append(Stat("AUC on the holdout", value_of(auc), f"95 % interval {interval_of(auc)}"))
        stats.append(Stat("calibration error", value_of(ece), f"an honest model stays below {evidence.ece_limit:.3f}"))
        stats.append(Stat("one row takes", f"{evidence.latency_p95_ms:.2g} ms", "95th percentile, with factors"))
    return tuple(stats)


def _lineage(problem: Problem, record: RunRecord, training: dict[str, Any] | None) -> list[Section]:
    loaded = record.result("load_training_data")
    if not loaded:
        return []
    told: list[tuple[str, Cell]] = [
        ("gold", code(f"{names.gold(problem.problem)} · snapshot {loaded['snapshot_id']} · tag {loaded['tag']}"))
    ]
    built_by = _built_by(problem, loaded["snapshot_id"])
    if built_by is not None:
        url = report_url(problem.problem, "transform", built_by)
        told.append(("written by", Link("the transform run, with its files", url)))
    if training is not None:
        counts = training["counts"]
        folds = f"{counts['train_rows']:,} to train, {counts['calibration_rows']:,} to calibrate"
        folds += f", {counts['holdout_rows']:,} held out"
        told += [("rows", folds), ("package", code(training["uri"])), ("content hash", code(training["content_hash"]))]
    version = record.results.get("save_results")
    if version is not None:
        registered = champions.registration(problem.problem, int(version))
        mlflow = registry.run_url(problem.problem, str(registered["mlflow_run_id"]))
        told.append(("version", f"{version}, now {champions.state_of(problem.problem, int(version))}"))
        told.append(("MLflow", Link("plots, model card, gate table", mlflow)))
        told.append(("make it again", code(f"millrace reproduce {problem.problem} {version}")))
        told += _deployments(problem, int(version))
    return [Section("Where it came from, and where it went", (Facts(tuple(told)),))]


def _deployments(problem: Problem, version: int) -> list[tuple[str, Cell]]:
    steps = [step for step in champions.transitions(problem.problem, version) if step.state in ("champion", "retired")]
    return [(step.state, f"{step.at:%Y-%m-%d %H:%M} UTC by {step.actor}: {step.reason}") for step in steps]


def _built_by(problem: Problem, snapshot_id: int) -> str | None:
    """The key of the transform run that wrote a snapshot of gold; None for one from before this was recorded."""
    commit = lake.snapshot(names.gold(problem.problem), snapshot_id)
    run_id = commit.properties.get(recorded.RUN_ID) if commit else None
    return None if run_id is None else names.run_key(run_id)
