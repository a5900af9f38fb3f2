"""`python -m tests.faults.restored <facts.json>`: a stack made from a backup, and what it answers.

Runs in the environment of that stack, with the problem files of the one that was backed up. The facts name the backup,
the problem, the rows to ask about, and a file that has not landed yet. Prints one JSON object: what was answered, the
fingerprints of the tables, and the same after that file was taken in, with how many rows silver read for it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.backup.restore import restore
from infra.env_file import ensure_env_file
from infra.progress import Board
from infra.services import of_profile
from infra.stack.down import bring_down
from infra.stack.up import bring_up
from millrace.adapters import connect, fleet, lake
from millrace.contract import names
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.settings import env_file, get_settings
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.pending import PENDING
from tests.awaiting import await_that
from tests.steps.transforming import to_gold
from tests.tables import fingerprints, land

SERVICES = ("postgres", "minio", "serving_1")


def main(facts: dict[str, Any]) -> dict[str, Any]:
    ensure_env_file(env_file())
    settings = get_settings()
    told = Board(Console(file=sys.stderr), None)
    try:
        restore(settings, Path(facts["backup"]), told, force=True)
        wanted = {*SERVICES, "spark"} if "next_file" in facts else set(SERVICES)
        services = [one for one in of_profile("core", settings) if one.name in wanted]
        bring_up(services, settings, say=told.say, done=told.done)
        return answers(get_problem(facts["problem"], settings.problems_dir), facts)
    finally:
        bring_down(settings, say=lambda _words: None)


def answers(problem: Problem, facts: dict[str, Any]) -> dict[str, Any]:
    url = get_settings().url("serving_1")
    await_that("it serves", lambda: fleet.serves(url, problem.problem).version, seconds=120)
    found: dict[str, Any] = {
        "pending": {stage: why(problem) for stage, why in PENDING.items()},
        "predictions": predictions(url, problem, facts["rows"]),
        "fingerprints": fingerprints(problem),
    }
    if next_file := facts.get("next_file"):
        land(problem, "after-the-backup", Path(next_file).read_bytes())
        check_raw_data(problem, ingest_raw_data(problem, attempt="after-the-backup", run_id="after-the-backup"))
        with connect.session() as spark:
            to_gold(spark, problem, "after-the-backup")
        load_warehouse(problem)
        newest = lake.newest_with(names.silver(problem.source_name), "millrace.receipt")
        assert newest is not None
        found["rows_read"] = json.loads(newest.properties["millrace.receipt"])["rows_read"]
        found["fingerprints_after"] = fingerprints(problem)
    return found


def predictions(url: str, problem: Problem, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a replica answers, but for the number that each answer gets anew."""
    answered = fleet.predict(url, problem.problem, rows)["predictions"]
    return [{name: value for name, value in one.items() if name != "prediction_id"} for one in answered]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
