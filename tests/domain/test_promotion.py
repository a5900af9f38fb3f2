"""The gate: each condition refuses on its own, and says what it saw."""

from typing import Any

import pytest

from millrace.contract.modelling import Gate
from millrace.domain.evaluation import Evaluation, Figure, GroupFigure
from millrace.domain.promotion import Evidence, judge

GATE = Gate(min_auc=0.7, min_average_precision=0.2, suspicious_auc=0.95, non_inferiority_margin=0.02, max_latency_ms=5)


def figure(value: float, width: float = 0.02) -> Figure:
    return Figure(value=value, low=value - width, high=value + width)


def rows(auc: float = 0.8, ece: float = 0.02) -> Evaluation:
    told = {"auc": auc, "average_precision": 0.4, "brier": 0.15, "log_loss": 0.45, "ece": ece}
    return Evaluation(rows=2_000, positives=400, figures={name: figure(value) for name, value in told.items()})


def evidence(**changes: Any) -> Evidence:
    told: dict[str, Any] = {
        "model_rows": rows(),
        "all_rows": rows(0.85),
        "brier_gain": figure(0.05),
        "ece_limit": 0.05,
        "worse_than_baseline": figure(-0.01),
        "latency_p95_ms": 0.4,
        "parity": 1e-7,
    }
    return Evidence.model_validate(told | changes)


def test_few_rows_widen_the_margin_as_they_widen_the_interval() -> None:
    few = rows().model_copy(update={"rows": 125})
    assert refused(worse_than_baseline=figure(0.05)) == ["not_inferior_to_baseline"]
    assert refused(worse_than_baseline=figure(0.05), model_rows=few) == []
    assert refused(worse_than_baseline=figure(0.07), model_rows=few) == ["not_inferior_to_baseline"]


def group(gap: float | None, *, judged: bool) -> GroupFigure:
    return GroupFigure(column="sex", group="f", metric="auc", rows=60, value=0.7, gap=gap, max_gap=0.05, judged=judged)


def refused(**changes: Any) -> list[str]:
    return [condition.name for condition in judge(GATE, evidence(**changes)) if not condition.passed]


def test_a_good_candidate_passes() -> None:
    conditions = judge(GATE, evidence())
    assert all(condition.passed for condition in conditions)
    assert len({condition.name for condition in conditions}) == len(conditions) == 9


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("auc", {"model_rows": rows(0.69)}),
        ("calibration", {"model_rows": rows(ece=0.06)}),
        ("brier_skill", {"brier_gain": figure(0.01, width=0.011)}),
        ("not_inferior_to_baseline", {"worse_than_baseline": figure(0.005)}),
        ("not_inferior_to_champion", {"champion_version": 3, "worse_than_champion": figure(0.005)}),
        ("suspiciously_good", {"model_rows": rows(0.951)}),
        ("suspiciously_good", {"all_rows": rows(0.999)}),
        ("latency", {"latency_p95_ms": 5.1}),
        ("parity", {"parity": 1e-3}),
        ("parity", {"parity": float("inf")}),
        ("group:sex=f", {"groups": (group(0.06, judged=True),)}),
    ],
)
def test_each_condition_refuses_on_its_own(name: str, changes: dict[str, Any]) -> None:
    assert refused(**changes) == [name]


def test_an_undefined_figure_refuses() -> None:
    nothing = Figure(value=None, low=None, high=None)
    unknown = rows().model_copy(update={"figures": {**rows().figures, "auc": nothing}})
    assert "auc" in refused(model_rows=unknown)
    assert "brier_skill" in refused(brier_gain=nothing)


def test_a_clearly_better_candidate_passes_however_wide_the_interval() -> None:
    assert not refused(worse_than_champion=Figure(value=-0.2, low=-0.4, high=0.01), champion_version=1)


def test_a_group_with_few_rows_is_not_judged() -> None:
    assert not refused(groups=(group(0.5, judged=False),))


def test_a_condition_says_what_it_saw_and_what_it_wanted() -> None:
    (condition,) = [one for one in judge(GATE, evidence(latency_p95_ms=7.5)) if not one.passed]
    assert (condition.observed, condition.limit) == (7.5, 5.0)
    assert "ms" in condition.words
