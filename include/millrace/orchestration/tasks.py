"""How a stage's tasks are made: `@task`, with what tasks of ours have in common. Nothing heavy is imported here."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from airflow.sdk import task

from millrace.orchestration.verdicts import no_retry_of_verdicts

SPARK = "spark_default"


def step(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`@task` for a step that gives verdicts: one of them, or a lost race, fails the task without a retry.

    Args:
        options: Of `@task`, such as outlets.
    """
    return _made(task(**options), function)


def spark_step(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """The same for a step on the Spark server, whose pool it waits for; the argument `spark` is the session."""
    decorate = task.pyspark(conn_id=SPARK, pool="spark", **options)
    return _made(lambda step_function: decorate(_closing_once(step_function)), function)


def check_connection(*adapters: str) -> Any:
    """The first task of a stage: each outside system that it needs answers, or the run fails before it has begun.

    Args:
        adapters: Modules of `millrace.adapters`, imported when the task runs.
    """

    @task(task_id="check_connection")
    def ping() -> None:
        for name in adapters:
            import_module(f"millrace.adapters.{name}").ping()

    return ping()


def _closing_once(step_function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(step_function)
    def with_session(*args: Any, spark: Any = None, **kwargs: Any) -> Any:
        from millrace.adapters.connect import closed_once

        # In `dag.test()` the sessions of all tasks are one process's.
        closed_once(spark)
        return step_function(*args, spark=spark, **kwargs)

    return with_session


def _made(decorate: Callable[[Callable[..., Any]], Any], function: Callable[..., Any] | None) -> Any:
    def of(step_function: Callable[..., Any]) -> Any:
        return decorate(no_retry_of_verdicts()(step_function))

    return of if function is None else of(function)
