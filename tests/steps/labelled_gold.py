"""Gold as Arrow, without a lake: rows of a problem with a label, drawn or from a real file."""

import csv
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.settings import ROOT

SOME_TIME = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ARROW = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}


def shipped(name: str) -> Problem:
    return load_problem(ROOT / "include" / "problems" / f"{name}.yaml")


def gold_of(
    problem: Problem, rows: Sequence[dict[str, Any]], labels: Sequence[int | None], keys: Sequence[str] | None = None
) -> pa.Table:
    """Gold with these rows, typed by the contract, keys numbered unless they are given."""
    columns = {
        name: pa.array([row.get(name) for row in rows], ARROW[column.type])
        for name, column in problem.gold_columns().items()
    }
    row_keys = pa.array(keys or [f'["{number:06d}"]' for number in range(len(rows))])
    times = pa.array([SOME_TIME] * len(rows), pa.timestamp("us", "UTC"))
    return pa.table({"row_key": row_keys, "event_timestamp": times, **columns, "label": pa.array(labels, pa.int32())})


def real_gold(problem: Problem, file: Path) -> pa.Table:
    """Gold of a real CSV file: as silver types it, nulls by its spellings, and the keys that the file has."""
    readers = {"string": str, "integer": lambda text: int(float(text)), "number": float}
    rows, labels, keys = [], [], []
    with file.open(newline="", encoding="utf-8") as text:
        for raw in csv.DictReader(text):
            keys.append(json.dumps([raw.get(name) for name in problem.source.primary_key]))
            labels.append(int(raw[problem.label.column] == str(problem.label.positive)))
            rows.append(
                {
                    name: None
                    if raw[name] in (*problem.source.null_values, *column.null_values)
                    else readers[column.type](raw[name])
                    for name, column in problem.gold_columns().items()
                }
            )
    return gold_of(problem, rows, labels, keys if problem.source.assigned_key is None else None)


def drawn_gold(problem: Problem, rows: int = 400, seed: int = 0) -> pa.Table:
    """Gold whose label leans on glucose and BMI, as diabetes does; about a third are positive."""
    chance = np.random.default_rng(seed)
    glucose, bmi = chance.normal(120, 30, rows).clip(50, 300), chance.normal(32, 6, rows).clip(15, 60)
    odds = (glucose - 130) / 25 + (bmi - 33) / 8
    labels = (chance.random(rows) < 1 / (1 + np.exp(-odds))).astype(int).tolist()
    told = [
        {
            "Pregnancies": int(chance.integers(0, 10)),
            "Glucose": float(g),
            "BloodPressure": None if chance.random() < 0.1 else float(chance.normal(70, 10)),
            "SkinThickness": float(chance.normal(25, 5)),
            "Insulin": float(chance.normal(100, 20)),
            "BMI": float(b),
            "DiabetesPedigreeFunction": float(chance.uniform(0, 2)),
            "Age": int(chance.integers(21, 70)),
        }
        for g, b in zip(glucose, bmi, strict=True)
    ]
    return gold_of(problem, told, labels)
