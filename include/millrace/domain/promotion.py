"""The gate: what a candidate must show before it may serve. Pure: from evidence and limits to conditions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from millrace.contract.model import Model
from millrace.contract.modelling import Gate
from millrace.domain.evaluation import Evaluation, Figure, GroupFigure

MOST_APART = 1e-5
"""Largest parity difference of a package (float32 sums in another order differ by about 1e-6)."""

MARGIN_ROWS = 2_000
"""Holdout rows from which on the contract's margin counts as it stands."""

_WAYS_OUT = {
    "auc": "give it more rows or better columns, or lower gate.min_auc",
    "average_precision": "give it more rows or better columns, or lower gate.min_average_precision",
    "brier_skill": "give it more rows or better columns: it knows no more than the prevalence",
    "calibration": "give it more rows, or a larger training.split.calibration_share",
    "not_inferior_to_baseline": "give the search more trials, or a narrower training.search_space",
    "not_inferior_to_champion": "nothing to do: the champion is better",
    "suspiciously_good": "exclude the column that is known only after the outcome; if the model is honest, raise "
    "gate.suspicious_auc",
    "latency": "narrow training.search_space, or raise gate.max_latency_ms",
    "parity": "report it: the library versions disagree",
    "group": "look at the rows of that group, or raise its max_gap in gate.groups",
}


class Evidence(Model):
    """What was measured of a candidate, on holdout rows that the model itself decides unless said otherwise."""

    model_rows: Evaluation
    all_rows: Evaluation
    """With overrides applied, on every holdout row: what callers see."""
    brier_gain: Figure
    """Brier score of the training prevalence minus that of the candidate, paired."""
    ece_limit: float
    """Simulated for this holdout and calibration fold: what an honest model exceeds once in a hundred."""
    worse_than_baseline: Figure
    """Log loss of the candidate minus that of the logistic regression fitted beside it, paired."""
    champion_version: int | None = None
    worse_than_champion: Figure | None = None
    """Log loss of the candidate minus that of the champion on the same rows, paired."""
    champion_note: str = ""
    """Why there is no comparison with a champion."""
    latency_p95_ms: float
    parity: float
    groups: tuple[GroupFigure, ...] = ()


@dataclass(frozen=True)
class Condition:
    """One condition of the gate. `words` say it to a person; `observed` is None where nothing could be measured."""

    name: str
    observed: float | None
    limit: float
    passed: bool
    words: str


def judge(gate: Gate, evidence: Evidence) -> tuple[Condition, ...]:
    """Every condition with observed value and limit; a candidate passes if all did."""
    figures = evidence.model_rows.figures
    auc, precision = figures["auc"].value, figures["average_precision"].value
    highest = max((v for v in (auc, evidence.all_rows.figures["auc"].value) if v is not None), default=None)
    conditions = [
        _at_least("auc", auc, gate.min_auc, "AUC on the rows that the model decides"),
        _at_least("average_precision", precision, gate.min_average_precision, "average precision"),
        _above(
            "brier_skill",
            evidence.brier_gain.low,
            0.0,
            "gain in Brier score over the prevalence, lower end of interval",
        ),
        _at_most(
            "calibration", figures["ece"].value, evidence.ece_limit, "calibration error (ECE) against an honest model's"
        ),
        _at_most(
            "not_inferior_to_baseline",
            evidence.worse_than_baseline.high,
            _margin(gate, evidence),
            "log loss above logistic regression's, upper end of interval",
        ),
        _against_champion(gate, evidence),
        _at_most(
            "suspiciously_good", highest, gate.suspicious_auc, "AUC; above the limit a leak is likelier than skill"
        ),
        _at_most(
            "latency", evidence.latency_p95_ms, gate.max_latency_ms, "ms for one row with factors, 95th percentile"
        ),
        _at_most("parity", evidence.parity, MOST_APART, "difference between the ways to the same probability"),
    ]
    conditions += [
        _at_most(
            f"group:{one.column}={one.group}",
            one.gap,
            one.max_gap,
            f"{one.metric} behind all rows, {one.rows} rows",
        )
        for one in evidence.groups
        if one.judged
    ]
    return tuple(conditions)


def way_out(names: Iterable[str]) -> str:
    """What to do about conditions that did not hold."""
    return "; ".join(dict.fromkeys(_WAYS_OUT[name.partition(":")[0]] for name in names))


def _against_champion(gate: Gate, evidence: Evidence) -> Condition:
    name, limit = "not_inferior_to_champion", _margin(gate, evidence)
    if evidence.worse_than_champion is None:
        return Condition(name, None, limit, True, evidence.champion_note or "there is no champion yet")
    words = f"log loss above champion's (version {evidence.champion_version}), upper end of interval"
    return _at_most(name, evidence.worse_than_champion.high, limit, words)


def _margin(gate: Gate, evidence: Evidence) -> float:
    """The contract's margin; wider below MARGIN_ROWS rows, as the interval that it bounds is."""
    return gate.non_inferiority_margin * max(1.0, math.sqrt(MARGIN_ROWS / max(1, evidence.model_rows.rows)))


def _at_least(name: str, observed: float | None, limit: float, words: str) -> Condition:
    return Condition(name, observed, limit, observed is not None and observed >= limit, words)


def _above(name: str, observed: float | None, limit: float, words: str) -> Condition:
    return Condition(name, observed, limit, observed is not None and observed > limit, words)


def _at_most(name: str, observed: float | None, limit: float, words: str) -> Condition:
    return Condition(name, observed, limit, observed is not None and observed <= limit, words)
