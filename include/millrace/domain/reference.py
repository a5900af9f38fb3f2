"""The reference window: how each input was spread in training. Counts in bins, never a person's row."""

from typing import Any

import numpy as np

from millrace.contract.problem import Problem
from millrace.domain.features import Columns

BINS = 10
MOST_LEVELS = 50


def reference(problem: Problem, columns: Columns) -> dict[str, Any]:
    """Counts for each column that a caller sends, but for times: 10 quantile bins and the missing ones, or each level.

    A column that only an override reads is told too: golden rows must hold values for which the model decides.
    `edges` are the inner borders: a value belongs to bin `searchsorted(edges, value, side="right")`.
    """
    rows = len(next(iter(columns.values())))
    told: dict[str, Any] = {}
    for name, column in problem.request_columns().items():
        if column.type == "timestamp":
            continue
        values = columns[name]
        if column.type == "string":
            levels, counts = np.unique([str(v) for v in values if v is not None], return_counts=True)
            common = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
            known = {str(levels[i]): int(counts[i]) for i in sorted(common.tolist())}
            missing = sum(value is None for value in values)
            told[name] = {"levels": known, "other": rows - missing - sum(known.values()), "missing": missing}
            continue
        numbers = values.astype(np.float64)
        present = numbers[~np.isnan(numbers)]
        edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS)) if present.size else np.array([])
        counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=edges.size + 1)
        told[name] = {"edges": edges.tolist(), "counts": counts.tolist(), "missing": int(rows - present.size)}
    return {"rows": rows, "columns": told}
