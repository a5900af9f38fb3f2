"""What one column alone tells about the label: how a leak shows before any model is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millrace.domain.profiling.texts import Flags, Floats

_PRIOR_ROWS = 10.0
_SURE_ROWS = 30
_SURE_BY_CHANCE = 1e-6


@dataclass(frozen=True)
class SureLevel:
    """A value with which the label is always the same, in more rows than chance explains."""

    value: str
    rows: int
    positive: bool


def auc_of_numbers(numbers: Floats, codes: NDArray[np.int32], missing: Flags, positive: Flags) -> float:
    """AUC of a numeric column as a score, the better direction taken, missing values lowest or highest.

    Args:
        numbers: The number of each distinct value.
        codes: For each row the place of its value.
        missing: Rows without a value; their code counts for nothing.
        positive: Rows whose label is positive.
    """
    # One number may be written in two ways (1 and 1.0), which then have one rank.
    ranks = np.append(np.unique(numbers, return_inverse=True)[1], 0)
    found = []
    for place in (-1, len(numbers)):
        score = np.where(missing, place, ranks[np.where(missing, -1, codes)])
        reached = _auc(score, positive)
        found += [reached, 1 - reached]
    return max(found)


def auc_of_levels(codes: NDArray[np.int32], missing: Flags, positive: Flags, levels: int) -> float:
    """AUC of a column of words: each half of the rows is scored by the shares of positives in the other half.

    Within one half, a word that occurs once would tell its own row's label.
    """
    groups = np.where(missing, levels, codes)
    halves = np.arange(len(groups)) % 2 == 0
    prevalence = float(positive.mean())
    score = np.zeros(len(groups))
    for half in (halves, ~halves):
        rows = np.bincount(groups[~half], minlength=levels + 1)
        yes = np.bincount(groups[~half], weights=positive[~half], minlength=levels + 1)
        share = (yes + _PRIOR_ROWS * prevalence) / (rows + _PRIOR_ROWS)
        score[half] = share[groups[half]]
    # A share is compared with others of its half only.
    reached = [_auc(score[half], positive[half]) for half in (halves, ~halves)]
    return float(np.mean(reached))


def sure_levels(values: Sequence[str], codes: NDArray[np.int32], missing: Flags, positive: Flags) -> list[SureLevel]:
    """The values of a column with few values that decide the label by themselves."""
    known = ~missing
    rows = np.bincount(codes[known], minlength=len(values))
    yes = np.bincount(codes[known], weights=positive[known], minlength=len(values))
    prevalence = float(positive.mean())
    found = []
    for place in np.flatnonzero(rows >= _SURE_ROWS).tolist():
        share = yes[place] / rows[place]
        if share in (0.0, 1.0):
            chance = (prevalence if share else 1 - prevalence) ** float(rows[place])
            if chance < _SURE_BY_CHANCE:
                found.append(SureLevel(values[place], int(rows[place]), bool(share)))
    return found


def _auc(score: NDArray[np.generic], positive: Flags) -> float:
    """Mann and Whitney's U over the number of pairs, ties counted half; .5 where one class is absent."""
    _, groups = np.unique(score, return_inverse=True)
    yes = np.bincount(groups, weights=positive)
    no = np.bincount(groups) - yes
    pairs = float(yes.sum() * no.sum())
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / pairs) if pairs else 0.5
