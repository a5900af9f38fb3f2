"""Step: record a training run in MLflow and register its package as a version."""

import csv
import io
import json
from typing import Any

from millrace.adapters import champions, lake, registry
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.promotion import Evidence, judge
from millrace.steps import run_folder
from millrace.steps.draw_curves import draw_curves
from millrace.steps.model_card import gate_table, model_card

ACTOR = "train"


def save_results(problem: Problem, *, run_key: str) -> dict[str, Any]:
    """Write parameters, metrics, trials, pictures, card and lineage; then register the version.

    Repeated, it finds the run and the version of the first time.

    Returns:
        version, mlflow_run_id, content_hash, uri, url.
    """
    name = problem.problem
    trained_with = run_folder.contract_of(name, run_key)
    tuned = run_folder.demand(name, run_key, run_folder.TUNING, step="tune")
    training = run_folder.demand(name, run_key, run_folder.TRAINING, step="train_final_model")
    evidence = Evidence.model_validate(training["evidence"])
    conditions = judge(trained_with.gate, evidence)
    lineage = lineage_of(trained_with, run_key, training["snapshot_id"])
    card = model_card(
        trained_with, run_key=run_key, training=training, trials=len(tuned["trials"]), conditions=conditions
    )
    run_id = registry.save_run(
        name,
        run_key,
        parameters={
            "estimator": training["configuration"]["estimator"],
            **training["configuration"]["parameters"],
            "seed": training["configuration"]["seed"],
            "balanced": training["configuration"]["balanced"],
            "calibration": training["calibration"],
            "trials": len(tuned["trials"]),
        },
        metrics=_metrics(evidence, training),
        tags={
            "millrace.content_hash": training["content_hash"],
            "millrace.gold_snapshot": str(training["snapshot_id"]),
        },
        artifacts={
            "model_card.md": card.encode(),
            "gate.md": gate_table(conditions).encode(),
            "gate.json": _text([vars(one) for one in conditions]),
            "evidence.json": _text(training["evidence"]),
            "trials.csv": _trials_table(tuned["trials"]),
            "lineage.json": _text(lineage),
            "contract.json": _text(trained_with.model_dump(mode="json")),
            **{f"plots/{file}": png for file, png in draw_curves(trained_with.title, training["curves"]).items()},
        },
    )
    version = registry.register(
        name, uri=training["uri"], content_hash=training["content_hash"], run_id=run_id, description=card
    )
    if champions.state_of(name, version) is None:
        champions.record_transition(
            name,
            version,
            "registered",
            ACTOR,
            f"trained on {training['counts']['labelled_rows']} labelled rows",
            {
                "uri": training["uri"],
                "content_hash": training["content_hash"],
                "gold_snapshot": training["snapshot_id"],
                "gold_tag": names.training_tag(run_key),
                "labelled_rows": training["counts"]["labelled_rows"],
                "run_key": run_key,
                "mlflow_run_id": run_id,
            },
        )
    return {
        "version": version,
        "mlflow_run_id": run_id,
        "content_hash": training["content_hash"],
        "uri": training["uri"],
        "url": registry.run_url(name, run_id),
    }


def lineage_of(problem: Problem, run_key: str, snapshot_id: int) -> dict[str, Any]:
    """From the version back to what came in: gold's snapshot and tag, its receipt, silver's, the files."""
    gold, tag = names.gold(problem.problem), names.training_tag(run_key)
    head = lake.head(gold, ref=tag)
    bronze = names.bronze_files(problem.source_name)
    wanted = ("path", "etag", "rows", "status")
    files = lake.read(bronze, columns=wanted, where="record == 'file'").to_pylist() if lake.table_exists(bronze) else []
    return {
        "gold": {"table": gold, "tag": tag, "snapshot_id": snapshot_id, "properties": head.properties if head else {}},
        "files_ingested_so_far": sorted(files, key=lambda file: str(file["path"])),
    }


def _metrics(evidence: Evidence, training: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float | None] = {"latency_p95_ms": evidence.latency_p95_ms, "parity": evidence.parity}
    for where, told in (("", evidence.model_rows), ("all_rows_", evidence.all_rows)):
        for name, figure in told.figures.items():
            found |= {
                f"{where}{name}": figure.value,
                f"{where}{name}_low": figure.low,
                f"{where}{name}_high": figure.high,
            }
    found |= {name: float(count) for name, count in training["counts"].items()}
    return {name: value for name, value in found.items() if value is not None}


def _trials_table(trials: list[dict[str, Any]]) -> bytes:
    # CSV, because MLflow shows that as a table.
    names_of_points = dict.fromkeys(name for trial in trials for name in trial["point"])
    table = io.StringIO()
    writer = csv.DictWriter(table, ["log_loss", "seconds", *names_of_points])
    writer.writeheader()
    for trial in sorted(trials, key=lambda one: float(one["log_loss"])):
        writer.writerow({"log_loss": trial["log_loss"], "seconds": trial["seconds"], **trial["point"]})
    return table.getvalue().encode()


def _text(content: Any) -> bytes:
    return json.dumps(content, indent=1, default=str, ensure_ascii=False).encode()
