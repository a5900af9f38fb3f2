"""The report of a training run: what was searched, how good the best is, what the gate said, where it all came from."""

from typing import Any

from millrace.adapters import champions, lake, registry
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.evaluation import Figure
from millrace.domain.promotion import Condition, Evidence, judge
from millrace.reporting.page import (
    Bar,
    Block,
    Cell,
    Curve,
    Curves,
    Facts,
    Link,
    Page,
    Section,
    Stat,
    Table,
    Text,
    Words,
)
from millrace.steps import recorded, run_folder, run_record
from millrace.steps.report_parts import (
    code,
    failures,
    first_failure,
    gate,
    number,
    outcome,
    plural,
    timings,
    words,
)
from millrace.steps.run_record import RunRecord

TRIALS_SHOWN = 10


def report_train(problem: Problem, record: RunRecord) -> Page:
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
            *_quality(training, evidence),
            *_search(tuned),
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
    url = run_record.report_url(problem.problem, "train", record.run_key)
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
        stats.append(Stat("AUC on the holdout", _value(auc), f"95 % interval {_interval(auc)}"))
        stats.append(Stat("calibration error", _value(ece), f"an honest model stays below {evidence.ece_limit:.3f}"))
        stats.append(Stat("one row takes", f"{evidence.latency_p95_ms:.2g} ms", "95th percentile, with factors"))
    return tuple(stats)


def _quality(training: dict[str, Any] | None, evidence: Evidence | None) -> list[Section]:
    if training is None or evidence is None:
        return []
    told = training["curves"]
    roc, precision, calibration = told["roc"], told["precision_recall"], told["calibration"]
    pictures = Curves(
        (
            _curve(
                "ROC",
                ("false positive rate", roc["false_positive_rate"]),
                ("true positive rate", roc["true_positive_rate"]),
                diagonal=True,
            ),
            _curve("Precision and recall", ("recall", precision["recall"]), ("precision", precision["precision"])),
            _curve(
                "Calibration, ten bins of equal size",
                ("predicted probability", calibration["predicted"]),
                ("observed share", calibration["observed"]),
                diagonal=True,
                dots=True,
            ),
        )
    )
    own, everyone = evidence.model_rows, evidence.all_rows
    rows: list[tuple[Cell, ...]] = [
        (words(name), _value(one), _interval(one), _value(everyone.figures[name])) for name, one in own.figures.items()
    ]
    figures = Table(
        (
            f"{own.rows:,} rows of the holdout, {own.positives:,} positive",
            "value",
            "95 % interval",
            "all rows, rules applied",
        ),
        tuple(rows),
    )
    blocks: list[Block] = [pictures, figures]
    if evidence.groups:
        blocks.append(_groups(evidence))
    return [Section("How good it is", tuple(blocks))]


def _curve(
    title: str,
    across: tuple[str, list[float]],
    up: tuple[str, list[float]],
    *,
    diagonal: bool = False,
    dots: bool = False,
) -> Curve:
    return Curve(title, across[0], up[0], tuple(across[1]), tuple(up[1]), diagonal, dots)


def _groups(evidence: Evidence) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in evidence.groups:
        behind = "–" if one.gap is None else f"{one.gap:+.3f}"
        limit: Cell = f"{one.max_gap:g}" if one.judged else Text("too few rows to judge", "muted")
        rows.append((f"{one.column}: {one.group}", f"{one.rows:,}", one.metric, number(one.value), behind, limit))
    return Table(("group", "rows", "metric", "value", "behind all rows", "limit"), tuple(rows))


def _search(tuned: dict[str, Any] | None) -> list[Section]:
    if tuned is None:
        return []
    trials = sorted(tuned["trials"], key=lambda one: float(one["log_loss"]))
    best, worst = trials[0]["log_loss"], trials[-1]["log_loss"]
    span = (worst - best) or 1.0
    rows: list[tuple[Cell, ...]] = []
    for one in trials:
        point = {name: value for name, value in one["point"].items() if name != "estimator"}
        behind = Bar((one["log_loss"] - best) / span, f"{one['log_loss']:.4f}", "muted")
        chosen = Text("★ best", "good") if one is trials[0] else Text("")
        parameters = ", ".join(f"{name} {number(float(value))}" for name, value in point.items())
        rows.append((chosen, words(str(one["point"]["estimator"])), parameters, behind, f"{one['seconds']:.2f} s"))
    head = ("", "estimator", "parameters", "log loss, and how far behind the best", "took")
    blocks: list[Block] = [
        Words("Mean log loss of cross-validation on the training fold; neither calibration fold nor holdout is seen."),
        Table(head, tuple(rows[:TRIALS_SHOWN])),
    ]
    if rest := rows[TRIALS_SHOWN:]:
        blocks.append(Table(head, tuple(rest), fold=f"{plural(len(rest), 'trial')} more"))
    return [Section("The search", tuple(blocks))]


def _lineage(problem: Problem, record: RunRecord, training: dict[str, Any] | None) -> list[Section]:
    loaded = record.result("load_training_data")
    if not loaded:
        return []
    told: list[tuple[str, Cell]] = [
        ("gold", code(f"{names.gold(problem.problem)} · snapshot {loaded['snapshot_id']} · tag {loaded['tag']}"))
    ]
    built_by = _built_by(problem, loaded["snapshot_id"])
    if built_by is not None:
        url = run_record.report_url(problem.problem, "transform", built_by)
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


def _value(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:.3f}"


def _interval(figure: Figure) -> str:
    return "–" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"
