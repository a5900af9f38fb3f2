"""What a span of bronze held: counts that stay when bronze's snapshots have expired."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.domain.batches import FILES_TOLD, FileCount, Landing
from spark_jobs.bronze_rows import valid
from spark_jobs.transforms.identity import of_a_file


@dataclass(frozen=True)
class Receipt:
    """Rows of a batch. `rows_superseded`: valid rows that gave way to another row of their key in the same batch."""

    rows_read: int
    rows_valid: int
    rows_quarantined: int
    by_reason: dict[str, int]
    rows_superseded: int
    file_count: int
    files: list[str]
    by_file: tuple[FileCount, ...] = ()
    """Every file, topics left out; not told in JSON."""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "by_file"}


def receipt(judged: DataFrame) -> Receipt:
    """Count judged rows (see `bronze_rows`); a row with two reasons counts once in each of them."""
    landed = F.when(of_a_file(), F.col("position").getField("major")).alias("landed")
    groups = judged.groupBy("path", landed, "reasons").count().collect()
    by_reason: Counter[str] = Counter()
    rows: Counter[Landing] = Counter()
    quarantined: Counter[Landing] = Counter()
    for group in groups:
        by_reason.update(dict.fromkeys(group["reasons"], group["count"]))
        if group["landed"] is None:  # a topic is no file that could be set aside, however much of it is broken
            continue
        file = Landing(group["path"], group["landed"])
        rows[file] += group["count"]
        quarantined[file] += group["count"] if group["reasons"] else 0
    passed = sum(group["count"] for group in groups if not group["reasons"])
    read = sum(group["count"] for group in groups)
    files = sorted({group["path"] for group in groups})
    keys = valid(judged).select("row_key").distinct().count() if passed else 0
    return Receipt(
        rows_read=read,
        rows_valid=passed,
        rows_quarantined=read - passed,
        by_reason=dict(sorted(by_reason.items())),
        rows_superseded=passed - keys,
        file_count=len(files),
        files=files[:FILES_TOLD],
        by_file=tuple(FileCount(file, rows[file], quarantined[file]) for file in sorted(rows)),
    )
