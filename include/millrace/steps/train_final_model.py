"""Step, run as a Ray job: fit the best configuration, measure it on the holdout, store its package."""

import json
import logging
import platform
import sys
from importlib.metadata import version
from typing import Any

from millrace.adapters import champions, package_store
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.curves import curves
from millrace.domain.fitting import Configuration
from millrace.domain.package import MANIFEST, Package, open_package, seal
from millrace.domain.promotion import Evidence
from millrace.domain.scoring import Scorer
from millrace.domain.splitting import HOLDOUT
from millrace.steps import job, run_folder
from millrace.steps.evaluate_candidate import evaluate_candidate
from millrace.steps.fit_candidate import fit_candidate
from millrace.steps.training_rows import LabelledRows, read_training_rows

BASELINE = Configuration(estimator="logistic_regression", parameters={"c": 1.0})
LIBRARIES = ("numpy", "onnx", "onnxmltools", "onnxruntime", "scikit-learn", "xgboost-cpu")

logger = logging.getLogger(__name__)


def train_final_model(problem_name: str, run_key: str, snapshot_id: int) -> dict[str, Any]:
    """Fit, calibrate, evaluate beside baseline and champion, build and store the package.

    Returns:
        uri, content_hash, configuration, counts, evidence, curves; written to the run's folder at the very end.
    """
    done = run_folder.read(problem_name, run_key, run_folder.TRAINING)
    if done is not None:
        return done
    problem = run_folder.contract_of(problem_name, run_key)
    tuned = run_folder.demand(problem_name, run_key, run_folder.TUNING, step="tune")
    configuration = Configuration.model_validate(tuned["best"])
    rows = read_training_rows(problem, snapshot_id)
    logger.info("%s", json.dumps(rows.counts()))
    candidate = open_package(fit_candidate(problem, rows, configuration, {}))
    logger.info("fitted %s, content %s", configuration.estimator, candidate.manifest.content_hash)
    evidence = evaluate_candidate(
        problem,
        rows,
        candidate,
        baseline=open_package(fit_candidate(problem, rows, BASELINE, {})),
        champion=_champion(problem_name),
    )
    files = seal(
        {name: content for name, content in candidate.files.items() if name != MANIFEST},
        problem=problem_name,
        provenance=provenance(
            problem, configuration, run_key=run_key, snapshot_id=snapshot_id, rows=rows, evidence=evidence
        ),
    )
    result = {
        "uri": package_store.put(problem_name, files),
        "content_hash": candidate.manifest.content_hash,
        "model_kind": candidate.manifest.model_kind,
        "configuration": configuration.model_dump(mode="json"),
        "calibration": json.loads(files["calibration.json"])["kind"],
        "snapshot_id": snapshot_id,
        "counts": rows.counts(),
        "evidence": evidence.model_dump(mode="json"),
        "curves": _curves(rows, candidate),
    }
    run_folder.write(problem_name, run_key, run_folder.TRAINING, result)
    return result


def provenance(
    problem: Problem,
    configuration: Configuration,
    *,
    run_key: str,
    snapshot_id: int,
    rows: LabelledRows,
    evidence: Evidence,
) -> dict[str, Any]:
    """Where a package comes from: with it `reproduce` makes the same content again."""
    figures = evidence.model_rows.figures
    return {
        "run_key": run_key,
        "gold_table": names.gold(problem.problem),
        "gold_tag": names.training_tag(run_key),
        "gold_snapshot_id": snapshot_id,
        "contract_hash": problem.contract_hash(),
        "configuration": configuration.model_dump(mode="json"),
        "counts": rows.counts(),
        "holdout": {name: figure.model_dump(mode="json") for name, figure in figures.items()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def _champion(problem_name: str) -> tuple[int, Package] | None:
    live = champions.current(problem_name)
    return None if live is None else (live.version, open_package(package_store.get(live.uri)))


def _curves(rows: LabelledRows, candidate: Package) -> dict[str, Any]:
    holdout = rows.fold(HOLDOUT)
    own = holdout.take(holdout.own)
    return curves(own.labels, Scorer(candidate).model_columns(own.columns))


def main() -> int:
    asked = job.begin("Fit, measure and package the best configuration of a training run")
    result = train_final_model(asked.problem, asked.run_key, asked.snapshot_id)
    figures = result["evidence"]["model_rows"]["figures"]
    auc, loss = figures["auc"]["value"], figures["log_loss"]["value"]
    logger.info("holdout AUC %.3f, log loss %.4f → %s", auc, loss, result["uri"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
