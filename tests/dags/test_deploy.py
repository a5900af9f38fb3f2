"""What the deploy DAG does when a task before the move fails."""

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.dags.running import load_dag
from tests.throwaway import problem_like


def test_without_a_move_the_run_fails_and_says_that_the_champion_is_as_it_was() -> None:
    with problem_like("diabetes") as problem:
        put_back = load_dag(f"{problem.problem}__deploy", "deploy").get_task("put_back")
    with pytest.raises(AirflowFailException, match="the champion is as it was"):
        put_back.python_callable(None)
