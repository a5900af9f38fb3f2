"""MLflow: runs and model versions, for people. What serves is decided in Postgres; versions here point to packages."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import httpx
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

CHAMPION = "champion"
RUN_KEY = "millrace.run_key"
CONTENT_HASH = "millrace.content_hash"
LONGEST_PARAMETER = 500


def ping() -> None:
    """Ask for one experiment.

    Raises:
        MillraceError: If the server does not answer.
    """
    try:
        _client().search_experiments(max_results=1)
    except MlflowException as error:
        raise MillraceError(
            "MLflow does not answer",
            place=get_settings().mlflow_url,
            found=str(error).splitlines()[0],
            expected="a list of experiments",
            fix="`make status` shows whether it runs, `make up` starts it",
        ) from error


def save_run(
    problem: str,
    run_key: str,
    *,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    artifacts: Mapping[str, bytes],
) -> str:
    """Record one training run in the experiment of its problem. Repeated, it completes the run of the first time.

    Args:
        artifacts: Contents by path within the run, such as `plots/roc.png`.

    Returns:
        The run's id.
    """
    client = _client()
    experiment_id = _experiment(problem)
    query = f"tags.`{RUN_KEY}` = '{run_key}'"
    found = client.search_runs([experiment_id], filter_string=query, max_results=1)
    run = found[0] if found else client.create_run(experiment_id, run_name=run_key, tags={RUN_KEY: run_key, **tags})
    run_id: str = run.info.run_id
    told = {name: str(value)[:LONGEST_PARAMETER] for name, value in parameters.items()}
    client.log_batch(
        run_id,
        params=[Param(name, value) for name, value in told.items()],
        metrics=[Metric(name, value, timestamp=0, step=0) for name, value in metrics.items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    _log_artifacts(run_id, artifacts)
    client.set_terminated(run_id)
    return run_id


def annotate_run(run_id: str, tags: Mapping[str, str], artifacts: Mapping[str, bytes]) -> None:
    """Add tags and artifacts to a run that has ended. Repeated, it replaces them."""
    for name, value in tags.items():
        _client().set_tag(run_id, name, value)
    _log_artifacts(run_id, artifacts)


def run_tags(run_id: str) -> dict[str, str]:
    """The tags of a run."""
    return dict(_client().get_run(run_id).data.tags)


def register(problem: str, *, uri: str, content_hash: str, run_id: str, description: str) -> int:
    """Make a version of the problem's model that points to a package. Repeated for the same run, it finds the version.

    Returns:
        The version's number.
    """
    client = _client()
    try:
        client.create_registered_model(problem)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for known in client.search_model_versions(f"name = '{problem}'"):
        if known.run_id == run_id:
            return int(known.version)
    tags = {CONTENT_HASH: content_hash}
    version = client.create_model_version(problem, uri, run_id=run_id, tags=tags, description=description)
    return int(version.version)


def tag_version(problem: str, version: int, tags: Mapping[str, str]) -> None:
    """Set tags of a version, such as what the gate said."""
    for name, value in tags.items():
        _client().set_model_version_tag(problem, str(version), name, value)


def set_alias(problem: str, version: int, alias: str = CHAMPION) -> None:
    """Show a version under an alias; the alias mirrors what Postgres decided, and decides nothing."""
    _client().set_registered_model_alias(problem, alias, str(version))


def remove_alias(problem: str, alias: str = CHAMPION) -> None:
    """Show no version under an alias."""
    _client().delete_registered_model_alias(problem, alias)


def answers(timeout_seconds: float = 3.0) -> bool:
    """Whether the server answers at all. MLflow's own client tries a dead server for minutes."""
    try:
        return httpx.get(f"{get_settings().mlflow_url}/health", timeout=timeout_seconds).is_success
    except httpx.HTTPError:
        return False


def versions(problem: str) -> Sequence[int]:
    """The numbers of all versions, rising."""
    return sorted(int(known.version) for known in _client().search_model_versions(f"name = '{problem}'"))


def forget(problem: str) -> None:
    """Delete the model of a problem with its versions, and its experiment. Harmless when there is none."""
    client = _client()
    for model in client.search_registered_models(f"name = '{problem}'"):
        client.delete_registered_model(model.name)
    found = client.get_experiment_by_name(problem)
    if found is not None and found.lifecycle_stage == "active":
        client.delete_experiment(found.experiment_id)
    _experiment.cache_clear()


def run_url(problem: str, run_id: str) -> str:
    """Where a person looks at a run."""
    return f"{get_settings().mlflow_url}/#/experiments/{_experiment(problem)}/runs/{run_id}"


def _log_artifacts(run_id: str, artifacts: Mapping[str, bytes]) -> None:
    if not artifacts:
        return
    with tempfile.TemporaryDirectory(prefix="millrace-run-") as folder:
        for name, content in artifacts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _client().log_artifacts(run_id, folder)


@cache
def _experiment(problem: str) -> str:
    client = _client()
    found = client.get_experiment_by_name(problem)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(problem))
    except MlflowException:
        # Another process was quicker.
        found = client.get_experiment_by_name(problem)
        if found is None:
            raise
        return str(found.experiment_id)


@cache
def _client() -> MlflowClient:
    url = get_settings().mlflow_url
    return MlflowClient(tracking_uri=url, registry_uri=url)
