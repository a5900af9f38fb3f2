"""The rows a model is made of: gold at one snapshot, labelled, in a fixed order, each in its fold."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.domain.features import Columns, Labels
from millrace.domain.scoring import overridden
from millrace.domain.splitting import CALIBRATION, HOLDOUT, TRAIN, Folds, assign_folds
from millrace.steps.column_values import as_values

FEWEST_ROWS = 50
FEWEST_OF_A_CLASS = 5
FOLD_NAMES = {TRAIN: "train", CALIBRATION: "calibration", HOLDOUT: "holdout"}


@dataclass(frozen=True)
class LabelledRows:
    """Labelled rows as columns, all of the same length.

    `own` marks the rows that no override decides: only they are learned from.
    """

    keys: list[str]
    columns: Columns
    labels: Labels
    folds: Folds
    own: NDArray[np.bool_]

    def take(self, which: NDArray[np.bool_]) -> "LabelledRows":
        keys = [key for key, taken in zip(self.keys, which.tolist(), strict=True) if taken]
        columns = {name: values[which] for name, values in self.columns.items()}
        return LabelledRows(keys, columns, self.labels[which], self.folds[which], self.own[which])

    def fold(self, fold: int) -> "LabelledRows":
        """The rows of TRAIN or CALIBRATION that the model may learn from, or every row of HOLDOUT."""
        inside = self.folds == fold
        return self.take(inside if fold == HOLDOUT else inside & self.own)

    def counts(self) -> dict[str, int]:
        """Rows in all and by fold, positives, and rows that an override decides."""
        told = {f"{name}_rows": int((self.folds == fold).sum()) for fold, name in FOLD_NAMES.items()}
        decided = int((~self.own).sum())
        return {"labelled_rows": len(self.keys), "positives": int(self.labels.sum()), "override_rows": decided, **told}


def read_training_rows(problem: Problem, snapshot_id: int) -> LabelledRows:
    """Read gold at a snapshot; rows without a label are left out.

    Raises:
        MillraceError: If too few rows carry a label, or the model's rows lack a class in some fold.
    """
    table = names.gold(problem.problem)
    wanted = ("row_key", "event_timestamp", "label", *problem.gold_columns())
    return labelled_rows(problem, lake.read(table, snapshot_id=snapshot_id, columns=wanted))


def labelled_rows(problem: Problem, gold: pa.Table) -> LabelledRows:
    """The labelled rows of gold, with their folds. Raises as `read_training_rows`."""
    # Files of a snapshot are read side by side; the order must not depend on which came first.
    labelled = gold.filter(pa.compute.is_valid(gold["label"])).sort_by("row_key")
    place = f"table {names.gold(problem.problem)}"
    if labelled.num_rows < FEWEST_ROWS:
        found = f"{labelled.num_rows} labelled rows of {gold.num_rows}"
        raise _unusable(place, found, f"at least {FEWEST_ROWS}", "bring more rows with a label")
    columns = {name: as_values(labelled[name], column.type) for name, column in problem.gold_columns().items()}
    if problem.source.event_timestamp is not None:
        # Features of the time read it under the name that callers know.
        columns[problem.source.event_timestamp] = as_values(labelled["event_timestamp"], "timestamp")
    labels = labelled["label"].to_numpy().astype(np.int8)
    keys = [str(key) for key in labelled["row_key"].to_pylist()]
    times = labelled["event_timestamp"].cast(pa.int64()).to_numpy()
    folds = assign_folds(problem.training.split, keys, times, columns)
    rows = LabelledRows(keys, columns, labels, folds, ~overridden(problem, columns))
    _refuse_missing_classes(rows, place)
    return rows


def _refuse_missing_classes(rows: LabelledRows, place: str) -> None:
    for fold, name in FOLD_NAMES.items():
        labels = rows.take(rows.own & (rows.folds == fold)).labels
        positives = int(labels.sum())
        if min(positives, len(labels) - positives) < FEWEST_OF_A_CLASS:
            found = f"{positives} positive and {len(labels) - positives} negative rows in the {name} fold"
            expected = f"at least {FEWEST_OF_A_CLASS} of each class in every fold, rows of overrides not counted"
            raise _unusable(
                place, found, expected, "check label.positive in the contract, or bring rows of both classes"
            )


def _unusable(place: str, found: str, expected: str, fix: str) -> MillraceError:
    return MillraceError("No model can be trained on these rows", place=place, found=found, expected=expected, fix=fix)
