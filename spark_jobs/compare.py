"""Two judgements of the same rows: which a changed contract would send to quarantine, and which it would let out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.bronze_rows import broken


@dataclass(frozen=True)
class Compared:
    """Rows by what becomes of them; a row with two reasons counts once in each reason."""

    entering: int
    leaving: int
    staying: int
    entering_by_reason: dict[str, int]
    """Reasons under the contract to come."""
    leaving_by_reason: dict[str, int]
    """Reasons under the contract in force."""


def compare(judged: DataFrame, quarantined: DataFrame | None) -> Compared:
    """Compare rows as a contract to come judges them with the quarantine of the one in force.

    Args:
        judged: Rows of bronze, see `bronze_rows`.
        quarantined: Those of them that are in quarantine now; None: none is.
    """
    now = broken(judged).select("position", F.col("reasons").alias("now"))
    if quarantined is None:
        both = now.withColumn("before", F.lit(None).cast("array<string>"))
    else:
        both = now.join(quarantined.select("position", F.col("reasons").alias("before")), "position", "full_outer")
    groups = both.groupBy("before", "now").count().collect()
    entering = [group for group in groups if group["before"] is None]
    leaving = [group for group in groups if group["now"] is None]
    return Compared(
        entering=sum(group["count"] for group in entering),
        leaving=sum(group["count"] for group in leaving),
        staying=sum(group["count"] for group in groups if group["before"] is not None and group["now"] is not None),
        entering_by_reason=_by_reason((group["now"], group["count"]) for group in entering),
        leaving_by_reason=_by_reason((group["before"], group["count"]) for group in leaving),
    )


def _by_reason(groups: Iterable[tuple[list[str], int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for reasons, rows in groups:
        counts.update(dict.fromkeys(reasons, rows))
    return dict(counts.most_common())
