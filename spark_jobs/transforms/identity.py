"""Which row it is, when it was true, and where it came from."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source import Source

POSITION = ("input_rank", "epoch", "major", "path", "minor")
"""The fields of `position`."""


def identify(rows: DataFrame, source: Source, position: Column) -> DataFrame:
    """Add `row_key`, `event_timestamp`, `position`, and `known_at`: when the row landed, or was committed.

    Args:
        rows: Bronze rows with `typed` (see `casting.cast_rows`).
    """
    told = {"row_key": _row_key(source), "event_timestamp": _event_timestamp(source)}
    return rows.withColumns(told | {"position": position, "known_at": F.col("last_modified")})


def _row_key(source: Source) -> Column:
    """The assigned key, or the primary key as a JSON array of text; null where a part of it is missing."""
    assigned = F.col("assigned_key")
    if not source.primary_key:
        return assigned
    parts = [F.col("typed").getField(name) for name in source.primary_key]
    key = F.to_json(F.array(*(part.cast("string") for part in parts)))
    if any(source.columns[name].sensitive for name in source.primary_key):
        key = F.sha2(key, 256)  # the row key reaches gold, and a sensitive column must not
    complete = F.lit(True)
    for part in parts:
        complete = complete & part.isNotNull()
    return F.coalesce(assigned, F.when(complete, key))


def _event_timestamp(source: Source) -> Column:
    landed = F.col("last_modified")
    if source.event_timestamp is None:
        return landed
    told = F.col("typed").getField(source.event_timestamp)
    return F.coalesce(told, landed) if source.assigned_time else told


def file_position() -> Column:
    """The total order of all that was ever said about a source; files come before changes."""
    return _position(F.lit(0), F.lit(""), F.unix_micros("last_modified"))


def message_position() -> Column:
    """Of a change: input rank 1, the source database's epoch and log position, topic and partition, offset. Of what a
    producer sent, as a line of a file: 0, no epoch, the time of sending, and the same."""
    return _position(F.col("input_rank"), F.col("epoch"), F.col("lsn"))


def of_a_file() -> Column:
    """Whether an identified row is a line of a file, and no message of a topic."""
    return (F.col("position").getField("input_rank") == 0) & F.col("change").isNull()


def _position(input_rank: Column, epoch: Column, major: Column) -> Column:
    parts = (input_rank, epoch, major, F.col("path"), F.col("row_number"))
    return F.struct(*(part.alias(name) for part, name in zip(parts, POSITION, strict=True)))
