"""Warms a Spark Connect server that has just been started: `python -m infra.warm_spark <mark file>`.

The first query of a JVM takes ten times as long as the next. Runs beside every start, so a healed server is warm too.
Writes the mark file when the query has answered.
"""

import sys
import time
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from infra import probes
from millrace.settings import get_settings

PATIENCE_SECONDS = 180
QUERY = "SELECT count(*) AS n FROM range(1000) WHERE id % 7 = 3"


def main(mark: str) -> None:
    settings = get_settings()
    remote = settings.spark_remote
    deadline = time.monotonic() + PATIENCE_SECONDS
    # The client's own retries wait longer and longer: connect only when something listens.
    while probes.tcp(settings.port("spark_connect")) and time.monotonic() < deadline:
        time.sleep(0.3)
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
