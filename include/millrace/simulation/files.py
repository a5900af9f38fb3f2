"""Raw files of any problem, made from its contract: valid rows with a known truth, broken rows with known reasons."""

import numpy as np

from millrace.contract.aggregations import EventLabel
from millrace.contract.label import Label
from millrace.contract.problem import Problem
from millrace.simulation.breakages import break_rows
from millrace.simulation.drawing import Mask, draw, levels, null_texts, text
from millrace.simulation.events import event_lines, simulate_events
from millrace.simulation.real_files import match_real_files
from millrace.simulation.simulated_file import SimulatedFile, as_file
from millrace.simulation.truth import auc, known_truth

__all__ = ["SimulatedFile", "match_real_files", "simulate_file", "valid_lines"]

REPEATED_SHARE = 0.01


def simulate_file(
    problem: Problem, *, rows: int, seed: int, broken_share: float = 0.1, first_row: int = 0
) -> SimulatedFile:
    """Make a file. The same arguments make the same bytes; the truth belongs to the problem, whatever the seed.

    Args:
        broken_share: Share of the rows that break the contract.
        first_row: Keys and times rise from here, so that files with other first rows hold other keys.

    Raises:
        MillraceError: If the contract asks for what the simulator cannot make; it names the column or rule.
    """
    if isinstance(problem.label, EventLabel):
        return simulate_events(problem, rows=rows, seed=seed, broken_share=broken_share, first_row=first_row)
    rng = np.random.default_rng([seed, first_row])
    drawn, truth = draw(problem, rng, rows, first_row), known_truth(problem)
    probability = truth.probabilities(drawn)
    positive = rng.random(rows) < probability
    lines = _lines(problem, drawn.values, drawn.missing, positive, rng)

    order = rng.permutation(rows)
    broken = np.sort(order[: round(rows * broken_share)])
    counts = break_rows(problem, lines, broken.tolist(), rng)
    repeated = _repeat(problem, lines, np.sort(order[len(broken) :]), rng)

    known = np.ones(rows, dtype=bool)
    known[[*broken, *repeated]] = False
    known &= ~truth.overridden(drawn) & ~drawn.missing[str(problem.label_column)]
    return SimulatedFile(
        content=as_file(problem, lines),
        rows=rows,
        valid_rows=rows - len(broken),
        quarantined_rows=len(broken),
        superseded_rows=len(repeated),
        expected_by_reason=counts,
        truth_auc=auc(positive[known], probability[known]),
    )


def valid_lines(problem: Problem, *, rows: int, seed: int, first_row: int) -> list[list[str]]:
    """Rows that break no constraint, as texts in the order of the source's columns; see `simulate_file`."""
    rng = np.random.default_rng([seed, first_row])
    if isinstance(problem.label, EventLabel):
        return event_lines(problem, rng, rows, first_row)
    drawn = draw(problem, rng, rows, first_row)
    positive = rng.random(rows) < known_truth(problem).probabilities(drawn)
    return _lines(problem, drawn.values, drawn.missing, positive, rng)


def _lines(
    problem: Problem,
    values: dict[str, np.ndarray],
    missing: dict[str, Mask],
    positive: Mask,
    rng: np.random.Generator,
) -> list[list[str]]:
    columns = []
    for name in problem.source.columns:
        said = _labels(problem, positive, rng) if name == problem.label_column else text(problem, name, values[name])
        nulls = null_texts(problem, name)
        for row in np.flatnonzero(missing[name]).tolist():
            said[row] = nulls[int(rng.integers(len(nulls)))]
        columns.append(said)
    return [list(line) for line in zip(*columns, strict=True)]


def _labels(problem: Problem, positive: Mask, rng: np.random.Generator) -> list[str]:
    assert isinstance(problem.label, Label)
    name, yes = problem.label.column, problem.label.positive
    if isinstance(yes, bool):
        return ["true" if each == yes else "false" for each in positive.tolist()]
    others = [level for level in levels(problem, name) or [] if level != yes] or (["no"] if yes == "yes" else [0])
    chosen = rng.integers(len(others), size=len(positive)).tolist()
    return [str(yes if each else others[other]) for each, other in zip(positive.tolist(), chosen, strict=True)]


def _repeat(problem: Problem, lines: list[list[str]], valid: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Turn some valid rows into copies of the valid row before them."""
    if not problem.source.primary_key or len(valid) < 2:
        return []
    size = min(round(len(lines) * REPEATED_SHARE), len(valid) // 2)
    chosen = np.sort(rng.choice(np.arange(1, len(valid)), size=size, replace=False))
    for place in chosen.tolist():
        lines[valid[place]] = list(lines[valid[place - 1]])
    return [int(row) for row in valid[chosen]]
