"""Curves of a holdout for people to look at: a few hundred points, no rows."""

from typing import Any

import numpy as np

from millrace.domain.features import Floats, Labels

MOST_POINTS = 200


def curves(labels: Labels, probabilities: Floats) -> dict[str, Any]:
    """ROC, precision-recall and calibration curves.

    Returns:
        roc: {false_positive_rate, true_positive_rate}; precision_recall: {recall, precision};
        calibration: {predicted, observed, rows} of ten bins of equal mass.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked, yes = probabilities[order], labels[order].astype(np.float64)
    # One point for each distinct score: rows that score alike come together.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    hits, alarms = np.cumsum(yes)[last], np.cumsum(1.0 - yes)[last]
    kept = np.unique(np.linspace(0, len(last) - 1, MOST_POINTS).astype(int))
    recall = hits / max(float(yes.sum()), 1.0)
    false_alarms = alarms / max(float((1.0 - yes).sum()), 1.0)
    bins = [part for part in np.array_split(order[::-1], 10) if len(part)]
    return {
        "roc": {
            "false_positive_rate": [0.0, *_rounded(false_alarms[kept])],
            "true_positive_rate": [0.0, *_rounded(recall[kept])],
        },
        "precision_recall": {"recall": _rounded(recall[kept]), "precision": _rounded((hits / (hits + alarms))[kept])},
        "calibration": {
            "predicted": _rounded(np.array([probabilities[part].mean() for part in bins])),
            "observed": _rounded(np.array([labels[part].mean() for part in bins])),
            "rows": [len(part) for part in bins],
        },
    }


def _rounded(values: Floats) -> list[float]:
    found: list[float] = np.round(values, 5).tolist()
    return found
