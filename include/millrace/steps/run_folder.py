"""The files of one training run: small JSON in the models bucket, each written when the work it tells of is done."""

import json
from typing import Any

from millrace.adapters import object_store
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.settings import get_settings

CONTRACT, TUNING, TRAINING = "contract", "tuning", "training"
TRIALS = "trials/"


def write(problem_name: str, run_key: str, name: str, content: dict[str, Any]) -> None:
    """Write `<name>.json` of a run."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    object_store.put(get_settings().models_bucket, _key(problem_name, run_key, name), text.encode(), "application/json")


def read(problem_name: str, run_key: str, name: str) -> dict[str, Any] | None:
    """Read `<name>.json` of a run; None if it was not written yet."""
    bucket, key = get_settings().models_bucket, _key(problem_name, run_key, name)
    if object_store.head(bucket, key) is None:
        return None
    content: dict[str, Any] = json.loads(object_store.get(bucket, key))
    return content


def demand(problem_name: str, run_key: str, name: str, *, step: str) -> dict[str, Any]:
    """Like `read`, for what an earlier step must have written.

    Raises:
        MillraceError: If it is not there; names the step that writes it.
    """
    content = read(problem_name, run_key, name)
    if content is None:
        raise MillraceError(
            f"The run has no {name}.json",
            place=f"s3://{get_settings().models_bucket}/{_key(problem_name, run_key, name)}",
            found="no such object",
            expected=f"what step {step} writes when it is done",
            fix=f"run step {step} of this run first",
        )
    return content


def names_under(problem_name: str, run_key: str, prefix: str) -> list[str]:
    """The names of a run's files that begin with a prefix, in order."""
    start = f"{problem_name}/runs/{run_key}/"
    found = object_store.list_objects(get_settings().models_bucket, start + prefix)
    return [one.key.removeprefix(start).removesuffix(".json") for one in found]


def contract_of(problem_name: str, run_key: str) -> Problem:
    """The contract as it was when the run began; the file may have changed since."""
    return Problem.model_validate(demand(problem_name, run_key, CONTRACT, step="load_training_data"))


def _key(problem_name: str, run_key: str, name: str) -> str:
    return f"{problem_name}/runs/{run_key}/{name}.json"
