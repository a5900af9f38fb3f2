"""What `astro dev parse` runs: every DAG file is imported without an error, and each DAG says whose it is.

Astro's own version of this file uses `DagBag(include_examples=...)`, which Airflow 3.3.2 removed. `make test` has
stricter tests of the DAGs in tests/dags.
"""

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[1] / "dags"


@pytest.fixture(scope="module")
def dag_bag() -> DagBag:
    return DagBag(dag_folder=str(DAGS))


def test_every_file_is_imported(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}


def test_every_dag_has_owner_and_tags(dag_bag: DagBag) -> None:
    assert dag_bag.dags
    for dag_id, dag in dag_bag.dags.items():
        assert dag.tags, f"{dag_id} has no tags"
        assert dag.owner != "airflow", f"{dag_id} has no owner"
