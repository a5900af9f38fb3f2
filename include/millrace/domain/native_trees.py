"""XGBoost's trees by its C interface: what a replica needs of it, and no more.

`import xgboost` imports pandas, scikit-learn and pyarrow where it finds them: 150 MiB for a process that has no use for
them. And its Python around one row takes longer than the trees do. The functions here are XGBoost's public, documented
ones; the library is the one that the package `xgboost` brings.
"""

import ctypes
import importlib.util
import json
import weakref
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from millrace.contract.errors import MillraceError

MARGIN, CONTRIBUTIONS = 1, 2
"""What is to be predicted, as XGBoosterPredictFromDMatrix counts it."""

DENSE = json.dumps({"missing": float("nan"), "nthread": 1}).encode()
WANTED = {
    what: json.dumps(
        {"type": what, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False}
    ).encode()
    for what in (MARGIN, CONTRIBUTIONS)
}


class Trees:
    """A booster read from UBJSON (data, no pickle), in one thread. Any number of threads may ask it."""

    def __init__(self, ubj: bytes) -> None:
        if not ubj.startswith(b"{"):
            _refuse("bytes that are no UBJSON")  # XGBoost would end the process.
        self._booster = ctypes.c_void_p()
        _done(_library().XGBoosterCreate(None, ctypes.c_uint64(0), ctypes.byref(self._booster)))
        weakref.finalize(self, _library().XGBoosterFree, self._booster)
        _done(_library().XGBoosterSetParam(self._booster, b"nthread", b"1"))
        _done(_library().XGBoosterLoadModelFromBuffer(self._booster, ubj, ctypes.c_uint64(len(ubj))))

    def log_odds(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape (rows,) from (rows, features)."""
        return self._predict(features, MARGIN)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape (rows, features): TreeSHAP, exact; with a constant they add up to the log-odds."""
        return self._predict(features, CONTRIBUTIONS)[:, :-1]

    def _predict(self, features: NDArray[np.float32], what: int) -> NDArray[np.float64]:
        library, rows = _library(), ctypes.c_void_p()
        features = np.ascontiguousarray(features, dtype=np.float32)
        _done(library.XGDMatrixCreateFromDense(_where(features), DENSE, ctypes.byref(rows)))
        try:
            shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
            found = ctypes.POINTER(ctypes.c_float)()
            out = (ctypes.byref(shape), ctypes.byref(dimensions), ctypes.byref(found))
            _done(library.XGBoosterPredictFromDMatrix(self._booster, rows, WANTED[what], *out))
            # The memory is XGBoost's, and this thread's next question overwrites it.
            told = np.ctypeslib.as_array(found, shape=tuple(shape[: dimensions.value]))
            return told.astype(np.float64)
        finally:
            library.XGDMatrixFree(rows)


def _where(features: NDArray[np.float32]) -> bytes:
    """NumPy's array interface as JSON: address, type and shape."""
    rows, columns = features.shape
    return b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}' % (features.ctypes.data, rows, columns)


def _done(status: int) -> None:
    if status != 0:
        told: bytes = _library().XGBGetLastError()
        _refuse(told.decode(errors="replace").partition("\n")[0][:300])


def _refuse(found: str) -> NoReturn:
    raise MillraceError(
        "XGBoost refuses the trees of a package",
        place="model.ubj",
        found=found,
        expected="trees as this version of XGBoost writes them",
        fix="train again with the installed version; the manifest tells which one wrote them",
    )


@cache
def _library() -> Any:
    found = importlib.util.find_spec("xgboost")
    if found is None or not found.submodule_search_locations:
        raise MillraceError(
            "XGBoost is not installed",
            place="this Python environment",
            found="no package xgboost",
            expected="xgboost-cpu",
            fix="make setup",
        )
    library = ctypes.CDLL(str(Path(found.submodule_search_locations[0]) / "lib" / "libxgboost.so"))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library
