"""What is asked of a whole table after each run, and cheap to read: its rows are counted, and the keys of the run."""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Counted:
    """Rows of a table, and how many of them are beyond one a key."""

    rows: int
    repeated: int


def count_all(rows: DataFrame) -> Counted:
    """Count a table that a run wrote as a whole."""
    found = rows.agg(F.count("*"), F.count_distinct("row_key")).collect()[0]
    return Counted(rows=found[0], repeated=found[0] - found[1])


def count_beside(rows: DataFrame, of_run: DataFrame) -> Counted:
    """Count a table that a run wrote a part of. Only the keys of that part can stand twice that did not before.

    Args:
        rows: The whole table; of it one column is read.
        of_run: The rows of it that the run wrote.
    """
    keys = of_run.select("row_key").distinct().withColumn("_of_run", F.lit(True))
    found = rows.select("row_key").join(keys, "row_key", "left").agg(F.count("*"), F.count("_of_run")).collect()[0]
    return Counted(rows=found[0], repeated=found[1] - keys.count())
