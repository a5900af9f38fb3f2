"""Folds for ever: a row's fold is a hash of its key or group, or its time; never a shuffle of a table that grows.

A champion has therefore never trained on a row of today's holdout.
"""

import hashlib
import re
from collections.abc import Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from millrace.contract.modelling import Split
from millrace.domain.features import Columns

Folds = NDArray[np.int8]
TRAIN, CALIBRATION, HOLDOUT = 0, 1, 2
HASH_RANGE = float(1 << 64)
# A key of the contract is a JSON array, or a digest without a count.
_ASSIGNED = re.compile(r"([0-9a-f]{64}):[0-9]+")


def position(salt: str, key: str) -> float:
    """Where a key lies in [0, 1): evenly spread, the same for ever."""
    digest = hashlib.sha256(f"{salt}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / HASH_RANGE


def assign_folds(split: Split, keys: Sequence[str], times: NDArray[np.int64], columns: Columns) -> Folds:
    """TRAIN, CALIBRATION or HOLDOUT for each row: int8, shape (rows,).

    Args:
        split: By key, group or time, and the shares.
        keys: Row keys.
        times: Event times, in microseconds; read where the split is by time. The newest rows are the holdout.
        columns: Holds the group column where the split is by group; a row without a group stands for itself.
    """
    if split.by == "time":
        newest = 1.0 - split.holdout_share
        borders = np.quantile(times, [newest - split.calibration_share, newest], method="lower")
        # Rows of the same time stay together.
        return np.searchsorted(borders, times, side="left").astype(np.int8)
    where = np.array([position(split.salt, name) for name in _names(split, keys, columns)])
    folds = np.full(len(where), TRAIN, dtype=np.int8)
    folds[where < split.holdout_share + split.calibration_share] = CALIBRATION
    folds[where < split.holdout_share] = HOLDOUT
    return folds


def search_folds(split: Split, keys: Sequence[str], columns: Columns, count: int) -> Folds:
    """One of `count` folds for each training row, for cross-validation within the search; groups stay together."""
    names = _names(split, keys, columns)
    return np.array([int(position(f"{split.salt}/search", name) * count) for name in names], dtype=np.int8)


def _names(split: Split, keys: Sequence[str], columns: Columns) -> list[str]:
    alone = [_without_count(key) for key in keys]
    if split.group is None:
        return alone
    groups = columns[split.group].tolist()
    return [name if _missing(group) else f"group:{group}" for name, group in zip(alone, groups, strict=True)]


def _without_count(key: str) -> str:
    """What equal rows share: an assigned key (`assigned_keys.key_assigner`) without its count; any other key as it is.

    Two equal rows on both sides of the holdout would let a model be judged on what it has learned by heart.
    """
    assigned = _ASSIGNED.fullmatch(key)
    return assigned[1] if assigned else key


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))
