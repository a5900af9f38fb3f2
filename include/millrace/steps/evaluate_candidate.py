"""Measuring a candidate on the holdout: the evidence that the gate judges."""

import numpy as np

from millrace.contract.problem import Problem
from millrace.domain import evaluation, metrics
from millrace.domain.package import Package
from millrace.domain.promotion import Evidence
from millrace.domain.scoring import Scorer
from millrace.domain.splitting import CALIBRATION, HOLDOUT, TRAIN
from millrace.steps.build_package import parity
from millrace.steps.training_rows import LabelledRows
from millrace.steps.verify_package import latency_p95_ms


def evaluate_candidate(
    problem: Problem,
    rows: LabelledRows,
    candidate: Package,
    *,
    baseline: Package,
    champion: tuple[int, Package] | None,
) -> Evidence:
    """Compare the candidate with prevalence, baseline and champion, row by row, on the same holdout.

    Args:
        champion: Version and package in force, if there is one.
    """
    seed = problem.training.seed
    holdout = rows.fold(HOLDOUT)
    scorer = Scorer(candidate)
    everyone = scorer.score_columns(holdout.columns)
    own = holdout.take(holdout.own)
    probabilities = everyone[holdout.own]
    losses = metrics.log_losses(own.labels, probabilities)
    prevalence = np.full(len(own.labels), rows.fold(TRAIN).labels.mean())
    gain = metrics.brier_losses(own.labels, prevalence) - metrics.brier_losses(own.labels, probabilities)
    worse_than_baseline = losses - metrics.log_losses(own.labels, Scorer(baseline).model_columns(own.columns))
    version, worse_than_champion, note = None, None, ""
    if champion is not None:
        version, package = champion
        note = why_incomparable(version, package, problem)
        if not note:
            of_champion = Scorer(package).score_columns(own.columns)
            difference = losses - metrics.log_losses(own.labels, of_champion)
            worse_than_champion = evaluation.mean_interval(difference, seed=seed)
    groups = [
        figure
        for limit in problem.gate.groups
        for figure in evaluation.by_group(
            limit, own.labels, probabilities, own.columns, threshold=problem.serving.threshold
        )
    ]
    return Evidence(
        model_rows=evaluation.evaluate(own.labels, probabilities, seed=seed),
        all_rows=evaluation.evaluate(holdout.labels, everyone, seed=seed),
        brier_gain=evaluation.mean_interval(gain, seed=seed),
        ece_limit=evaluation.ece_limit(probabilities, calibration_rows=len(rows.fold(CALIBRATION).labels), seed=seed),
        worse_than_baseline=evaluation.mean_interval(worse_than_baseline, seed=seed),
        champion_version=version,
        worse_than_champion=worse_than_champion,
        champion_note=note,
        latency_p95_ms=latency_p95_ms(candidate),
        parity=parity(candidate.files),
        groups=tuple(groups),
    )


def why_incomparable(version: int, champion: Package, problem: Problem) -> str:
    """Why a champion of an earlier contract cannot read the gold of today; empty if it can."""
    there = problem.gold_columns() | problem.event_time()
    for name, column in champion.problem.request_columns().items():
        if name not in there:
            return f"champion version {version} needs column {name}, which gold no longer has"
        if there[name].type != column.type:
            return f"champion version {version} reads {name} as {column.type}, and gold holds it as {there[name].type}"
    return ""
