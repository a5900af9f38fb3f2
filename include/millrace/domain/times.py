"""Times as the contract's texts tell them, and as numbers that features can count with."""

import re
from datetime import UTC, datetime, timedelta
from math import isnan

import numpy as np
from numpy.typing import NDArray

from millrace.contract.constraints import RAW_PATTERNS
from millrace.contract.feature_nodes import TimePart

_TIMESTAMP = re.compile(RAW_PATTERNS["timestamp"], re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR, _DAY = 3.6e9, 8.64e10


def as_timestamp(text: str) -> datetime:
    """The time that an ISO 8601 text tells, UTC unless it says otherwise.

    Raises:
        ValueError: If it is not of the form that files may have, or no such time exists.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("not an ISO 8601 time")
    found = datetime.fromisoformat(text.replace("UTC", "Z").replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def micros(value: object) -> float:
    """Microseconds since 1970 of a time, or of the text of one; NaN for no value."""
    if value is None:
        return float("nan")
    moment = value if isinstance(value, datetime) else as_timestamp(str(value))
    return float((moment - _EPOCH) // timedelta(microseconds=1))


def micros_of(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """A column of times, or of their texts, as `micros` tells each: float64, shape (rows,)."""
    return np.array([micros(value) for value in values.tolist()], dtype=np.float64)


def time_part(node: TimePart, moment: float) -> float:
    """What a node takes from `micros`: an hour from 0 to 23, a weekday from 0 (Monday), -1 for NaN."""
    if isnan(moment):
        return -1.0
    # 1 January 1970 was a Thursday.
    return moment // _HOUR % 24 if node.part == "hour" else (moment // _DAY + 3) % 7


def time_parts(node: TimePart, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Many times, each as `time_part` tells it."""
    told = moments // _HOUR % 24 if node.part == "hour" else (moments // _DAY + 3) % 7
    return np.where(np.isnan(moments), -1.0, told)
