"""Spark, through Spark Connect: no JVM here, a warm server there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from pyspark.sql import SparkSession

from millrace.settings import get_settings


@contextmanager
def session() -> Iterator[SparkSession]:
    """A session of one's own, stopped at the end. A task of `@task.pyspark` is given its session instead."""
    spark = SparkSession.builder.remote(get_settings().spark_remote).create()
    closed_once(spark)
    try:
        yield spark
    finally:
        spark.stop()


def closed_once(spark: SparkSession) -> None:
    """Keep a stopped session from being closed again when it is collected.

    That close waits for the threads of every session of the process, and the collector may run it in one of them: both
    then wait for ever (pyspark-client 4.1.3, `SparkSession.__del__`).
    """
    client: Any = cast(Any, spark).client  # its type in PySpark says that only a classic session has it
    close, closed = client.close, list[bool]()

    def once() -> None:
        if not closed:
            closed.append(True)
            close()

    client.close = once
