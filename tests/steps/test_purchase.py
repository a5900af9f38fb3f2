"""Purchase, judged through our own features and models: causal on the real sample, near the truth on the simulator."""

from collections.abc import Iterator

import numpy as np
import pytest
from pyspark.sql import SparkSession

from millrace.adapters import object_store
from millrace.contract.aggregations import EventLabel
from millrace.contract.problem import Problem
from millrace.domain import evaluation, features, fitting, metrics
from millrace.domain.calibration import Platt
from millrace.domain.models import open_model
from millrace.domain.package import open_package
from millrace.domain.promotion import judge
from millrace.settings import ROOT
from millrace.simulation.files import simulate_file
from millrace.steps.evaluate_candidate import evaluate_candidate
from millrace.steps.fit_candidate import fit_candidate
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.training_rows import LabelledRows, labelled_rows
from tests.steps.labelled_gold import shipped
from tests.steps.test_train_real_data import LOGISTIC, SMALL_TREES
from tests.steps.told_events import events_of, told_gold
from tests.steps.transforming import removed_afterwards, to_silver
from tests.throwaway import problem_like

SAMPLE = ROOT.parent / "shared" / "data" / "rees46_2019-Oct_sample.csv"
PURCHASE = shipped("purchase")


@pytest.fixture(scope="module")
def sample() -> LabelledRows:
    return labelled_rows(PURCHASE, told_gold(PURCHASE, events_of(PURCHASE, SAMPLE.read_bytes())))


def by_user(problem: Problem, rows: LabelledRows, *, seed: int = 0, folds: int = 5) -> Iterator[tuple[np.ndarray, ...]]:
    """Labels and probabilities of each held out part, of users that the model has never seen."""
    _, user = np.unique(rows.columns["user_id"], return_inverse=True)
    turns = (np.random.default_rng(seed).permutation(user.max() + 1) % folds)[user]
    for turn in range(folds):
        learned, held = rows.take(turns != turn), rows.take(turns == turn)
        program = features.fit(problem, learned.columns)
        model = open_model(
            fitting.fit_model(SMALL_TREES, features.run_columns(program, learned.columns), learned.labels)
        )
        log_odds = model.log_odds(features.run_columns(program, held.columns))
        yield held.labels, Platt(slope=1.0, intercept=0.0).apply_columns(log_odds)


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(metrics.auc(labels, probabilities, metrics.once(len(labels)))[0])


@pytest.mark.realdata
@pytest.mark.stack
def test_the_real_sample_breaks_no_rule_on_its_way_to_silver(spark: SparkSession) -> None:
    with problem_like("purchase") as problem, removed_afterwards(problem):
        object_store.put_landing(f"{problem.landing_prefix}sample.csv", SAMPLE.read_bytes())
        check_raw_data(problem, ingest_raw_data(problem, attempt="run", run_id="run"))
        told = to_silver(spark, problem)["receipt"]
    assert told["rows_read"] == len(SAMPLE.read_text().splitlines()) - 1
    assert told["rows_quarantined"] == 0


@pytest.mark.realdata
def test_the_real_sample_is_predicted_from_what_was_known(sample: LabelledRows) -> None:
    parts = list(by_user(PURCHASE, sample))
    labels, told = (np.concatenate(part) for part in zip(*parts, strict=True))
    figure = evaluation.evaluate(labels, told, seed=0).figures["auc"]
    mean = float(np.mean([auc(*part) for part in parts]))
    print(
        f"purchase, causal, by user: AUC {mean:.3f}; pooled {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
    )
    assert mean >= 0.64
    assert figure.high < PURCHASE.gate.suspicious_auc


@pytest.mark.realdata
def test_a_count_over_the_whole_session_is_refused_as_suspicious(sample: LabelledRows) -> None:
    label = PURCHASE.label
    assert isinstance(label, EventLabel)
    bought: dict[object, int] = {}
    for event in events_of(PURCHASE, SAMPLE.read_bytes()):
        bought[event["user_session"]] = bought.get(event["user_session"], 0) + (event["event_type"] == "purchase")
    # What a plain GROUP BY over the session would give: it holds the purchase that is to be predicted.
    leaked = np.array([float(bought[session]) for session in sample.columns["user_session"]])
    columns = {**sample.columns, "session_purchases": leaked}
    planted = LabelledRows(sample.keys, columns, sample.labels, sample.folds, sample.own)
    candidate = open_package(fit_candidate(PURCHASE, planted, SMALL_TREES, {}))
    baseline = open_package(fit_candidate(PURCHASE, planted, LOGISTIC, {}))
    evidence = evaluate_candidate(PURCHASE, planted, candidate, baseline=baseline, champion=None)
    (condition,) = [one for one in judge(PURCHASE.gate, evidence) if one.name == "suspiciously_good"]
    assert not condition.passed
    assert condition.observed > condition.limit == PURCHASE.gate.suspicious_auc


def test_on_a_known_truth_the_model_reaches_nearly_all_that_can_be_known() -> None:
    file = simulate_file(PURCHASE, rows=8_000, seed=2, broken_share=0)
    rows = labelled_rows(PURCHASE, told_gold(PURCHASE, events_of(PURCHASE, file.content)))
    found = float(np.mean([auc(*part) for part in by_user(PURCHASE, rows)]))
    assert file.truth_auc * 0.95 <= found <= file.truth_auc + 0.02, (found, file.truth_auc)
