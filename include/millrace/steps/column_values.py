"""Columns of the lake as the feature program reads them."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from millrace.contract.source import ColumnType


def as_values(column: pa.ChunkedArray, kind: ColumnType) -> NDArray[np.generic]:
    """A column as features read it: float64 with NaN, or objects with None for strings and times."""
    if kind in ("string", "timestamp"):
        return np.array(column.to_pylist(), dtype=object)
    numbers = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
    # Not safe: an integer beyond 2**53, such as a long id, is rounded as `float` rounds it in a request.
    values: NDArray[np.float64] = numbers.cast(pa.float64(), safe=False).to_numpy()
    return values
