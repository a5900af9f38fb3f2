"""Spark, through Spark Connect: no JVM here, a warm server there."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from millrace.settings import get_settings


@contextmanager
def session() -> Iterator[SparkSession]:
    """A session of one's own, stopped at the end. A task of `@task.pyspark` is given its session instead."""
    spark = SparkSession.builder.remote(get_settings().spark_remote).create()
    try:
        yield spark
    finally:
        spark.stop()
