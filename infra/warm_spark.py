"""Warms a Spark Connect server that has just been started: `python -m infra.warm_spark <mark file>`.

The first query of a JVM takes ten times as long as the next. Runs beside every start, so a healed server is warm too.
Writes the mark file when the query has answered.
"""

import sys
import time
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from millrace.settings import get_settings

PATIENCE_SECONDS = 180
QUERY = "SELECT count(*) AS n FROM range(1000) WHERE id % 7 = 3"


def main(mark: str) -> None:
    remote = get_settings().spark_remote
    Path(mark).unlink(missing_ok=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            spark = SparkSession.builder.remote(remote).create()
            spark.sql(QUERY).collect()
            spark.sql("SHOW NAMESPACES IN lake").collect()
            spark.stop()
            break
        except (PySparkException, OSError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"warm-up: Spark Connect did not answer within {PATIENCE_SECONDS} s: {error}")
            time.sleep(1)
    Path(mark).touch()


if __name__ == "__main__":
    main(sys.argv[1])
