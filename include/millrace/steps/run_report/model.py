"""Sections about a model: how good it is, and the search that found it."""

from typing import Any

from millrace.domain.evaluation import Figure
from millrace.domain.promotion import Evidence
from millrace.reporting.page import Bar, Block, Cell, Curve, Curves, Section, Table, Text, Words
from millrace.steps.run_report.parts import number, plural, words

TRIALS_SHOWN = 10


def quality_of(training: dict[str, Any] | None, evidence: Evidence | None) -> list[Section]:
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
        (words(name), value_of(one), interval_of(one), value_of(everyone.figures[name]))
        for name, one in own.figures.items()
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


def search_of(tuned: dict[str, Any] | None) -> list[Section]:
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


def value_of(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:.3f}"


def interval_of(figure: Figure) -> str:
    return "–" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"


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
