"""The reference window: how each input was spread in training. Counts in bins, never a person's row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from millrace.contract.problem import Problem
from millrace.domain.features import Columns

BINS = 10
MOST_LEVELS = 50


def reference(problem: Problem, columns: Columns) -> dict[str, Any]:
    """Counts for each column that a caller sends, but for times: 10 quantile bins and the missing ones, or each level.

    A column that only an override reads is told too: golden rows must hold values for which the model decides.
    `edges` are the inner borders: a value belongs to bin `searchsorted(edges, value, side="right")`; `low` and `high`
    are the ends of what training saw, absent where it saw nothing.
    """
    told = {n: column_reference(columns[n]) for n, c in problem.request_columns().items() if c.type != "timestamp"}
    return {"rows": len(next(iter(columns.values()))), "columns": told}


def column_reference(values: NDArray[Any]) -> dict[str, Any]:
    """One column's counts; an array of objects holds levels, any other numbers (NaN: missing)."""
    if values.dtype == object:
        levels, counts = np.unique([str(v) for v in values if v is not None], return_counts=True)
        common = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        known = {str(levels[i]): int(counts[i]) for i in sorted(common.tolist())}
        missing = sum(value is None for value in values)
        return {"levels": known, "other": len(values) - missing - sum(known.values()), "missing": missing}
    numbers = values.astype(np.float64)
    present = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS)) if present.size else np.array([])
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=edges.size + 1)
    told = {"edges": edges.tolist(), "counts": counts.tolist(), "missing": int(len(values) - present.size)}
    return told | ({"low": float(present.min()), "high": float(present.max())} if present.size else {})
