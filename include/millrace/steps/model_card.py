"""The model card: one page for a person. What a version predicts, from what, how well, and its limits."""

from collections.abc import Iterable, Sequence
from typing import Any

from millrace.contract.problem import Problem
from millrace.domain.promotion import Condition, Evidence


def model_card(
    problem: Problem, *, run_key: str, training: dict[str, Any], trials: int, conditions: Sequence[Condition]
) -> str:
    """Markdown.

    Args:
        training: What `train_final_model` returned.
        trials: How many configurations were tried.
    """
    evidence = Evidence.model_validate(training["evidence"])
    parts = [
        f"# {problem.title}",
        f"{problem.description or problem.title} Owner: {problem.owner}.",
        _predicts(problem, training["counts"]),
        _learned(problem, training, trials),
        f"## How well\n\nOn held out rows that the model decides ({evidence.model_rows.rows:,}; 95 % intervals):",
        _figures(evidence),
        _groups(evidence) if evidence.groups else "",
        f"## The gate\n\n{gate_table(conditions)}",
        _limits(problem, training["model_kind"]),
        (
            f"## Make it again\n\n`millrace reproduce {problem.problem} <version>` fits the recorded configuration on "
            f"the tagged gold and compares the content hash `{training['content_hash'][:16]}…` (run `{run_key}`)."
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def gate_table(conditions: Sequence[Condition]) -> str:
    """The conditions of the gate as a Markdown table."""
    lines = ["| condition | observed | limit | |", "|---|---|---|---|"]
    lines += [
        f"| {one.name}: {one.words} | {'–' if one.observed is None else f'{one.observed:.4g}'} | {one.limit:.4g} "
        f"| {'passed' if one.passed else '**refused**'} |"
        for one in conditions
    ]
    return "\n".join(lines)


def _predicts(problem: Problem, counts: dict[str, Any]) -> str:
    bands = ", ".join(f"{band.name} below {band.below:g}" for band in problem.serving.risk_bands)
    told = (
        f"## What it predicts\n\nThe probability that {problem.label.in_words()}. "
        f"At or above {problem.serving.threshold:g} the answer is yes. Risk bands: {bands}."
    )
    rules = [
        f"- **{one.name}**: where `{one.column}` is `{one.equals}`, the answer is {one.probability:g}. {one.reason}"
        for one in problem.overrides
    ]
    if not rules:
        return told
    decided = f"Rules that decide before the model ({counts['override_rows']:,} of the labelled rows):"
    return "\n\n".join([told, decided, "\n".join(rules)])


def _learned(problem: Problem, training: dict[str, Any], trials: int) -> str:
    counts = training["counts"]
    told = (
        f"## What it learned from\n\n{counts['labelled_rows']:,} labelled rows of `{problem.source_name}` "
        f"({counts['positives']:,} positive), at snapshot {training['snapshot_id']} of gold: "
        f"{counts['train_rows']:,} to train, {counts['calibration_rows']:,} to calibrate, "
        f"{counts['holdout_rows']:,} held out. Best of {trials} configurations by cross-validated log loss: "
        f"{_configuration(training)}.\n\nInputs: {_columns(problem.input_columns())}."
    )
    return f"{told} Not learned from: {_columns(problem.exclude)}." if problem.exclude else told


def _limits(problem: Problem, model_kind: str) -> str:
    exact = "exact Shapley values of the trees" if model_kind == "xgboost" else "weight × distance from the mean"
    return (
        f"## Factors and limits\n\nEach answer names up to {problem.serving.factors} columns that moved it most, in "
        f"log-odds: {exact}. They say what moved the model, not what causes the outcome.\n\nThe figures hold for rows "
        "like those it learned from; drift makes them too good. Groups with few rows were reported, not judged. A "
        "probability is not a decision: the threshold is the owner's."
    )


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _configuration(training: dict[str, Any]) -> str:
    told = training["configuration"]
    parameters = ", ".join(f"{name} {value:.4g}" for name, value in told["parameters"].items())
    return f"{told['estimator'].replace('_', ' ')} ({parameters}), calibrated by {training['calibration']}"


def _figures(evidence: Evidence) -> str:
    lines = ["| | the model's own rows | all rows, rules applied |", "|---|---|---|"]
    for name, figure in evidence.model_rows.figures.items():
        lines.append(f"| {name.replace('_', ' ')} | {_figure(figure)} | {_figure(evidence.all_rows.figures[name])} |")
    return "\n".join(lines)


def _figure(figure: Any) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.3f}" + ("" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})")


def _groups(evidence: Evidence) -> str:
    lines = ["| group | rows | metric | value | behind all | |", "|---|---|---|---|---|---|"]
    for one in evidence.groups:
        value = "–" if one.value is None else f"{one.value:.3f}"
        gap = "–" if one.gap is None else f"{one.gap:+.3f}"
        judged = f"limit {one.max_gap:g}" if one.judged else "too few rows to judge"
        lines.append(f"| {one.column}: {one.group} | {one.rows:,} | {one.metric} | {value} | {gap} | {judged} |")
    return "\n".join(lines)
