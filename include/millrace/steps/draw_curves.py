"""The pictures of a training run: ROC, precision-recall and calibration, as PNG."""

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_curves(problem_title: str, curves: dict[str, Any]) -> dict[str, bytes]:
    """Three pictures by file name, from what `domain.curves` told."""
    roc, precision_recall, calibration = curves["roc"], curves["precision_recall"], curves["calibration"]
    return {
        "roc.png": _picture(
            f"{problem_title}: ROC",
            ("false positive rate", roc["false_positive_rate"]),
            ("true positive rate", roc["true_positive_rate"]),
            diagonal=True,
        ),
        "precision_recall.png": _picture(
            f"{problem_title}: precision and recall",
            ("recall", precision_recall["recall"]),
            ("precision", precision_recall["precision"]),
        ),
        "calibration.png": _picture(
            f"{problem_title}: calibration, ten bins of equal size",
            ("predicted probability", calibration["predicted"]),
            ("observed share", calibration["observed"]),
            diagonal=True,
            marker="o",
        ),
    }


def _picture(
    title: str,
    across: tuple[str, list[float]],
    up: tuple[str, list[float]],
    *,
    diagonal: bool = False,
    marker: str | None = None,
) -> bytes:
    # Without pyplot: it keeps every figure, and wants a main thread.
    figure = Figure(figsize=(5, 4.5), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if diagonal:
        axes.plot([0, 1], [0, 1], linewidth=1, linestyle=":", color="#888888")
    axes.plot(across[1], up[1], linewidth=2, marker=marker, color="#1f6f8b")
    axes.set(title=title, xlabel=across[0], ylabel=up[0], xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.25)
    told = io.BytesIO()
    # No date, no version: the same curve gives the same picture.
    figure.savefig(told, format="png", dpi=110, metadata={"Software": None})
    return told.getvalue()
