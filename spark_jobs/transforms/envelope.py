"""Debezium's envelope: what a message of a topic says of the change that it is.

https://debezium.io/documentation/reference/3.5/connectors/postgresql.html#postgresql-change-event-values
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source_epoch import HEADER, TEXT

READ, INSERT, UPDATE, DELETE, TRUNCATE = "r", "c", "u", "d", "t"
"""Operations: a row that a snapshot read, and what may happen to one, or to all of a table."""
WITH_ROW_AFTER = (INSERT, UPDATE, READ)
OPERATIONS = (*WITH_ROW_AFTER, DELETE, TRUNCATE)
_OF_A_SNAPSHOT = ("first", "first_in_data_collection", "true", "last_in_data_collection", "last")
"""What Debezium says of a row of the snapshot that an epoch begins with.

https://debezium.io/documentation/reference/3.5/connectors/postgresql.html#postgresql-create-events
"""
LAST_OF_A_SNAPSHOT = ("last_in_data_collection", "last")
_SOURCE = "struct<lsn: bigint, sequence: string, txId: bigint, ts_us: bigint, snapshot: string>"
_THERE = "struct<_: string>"
"""An object, of which nothing is read but that it is there: to read its fields costs more than all the rest."""
VALUE = f"struct<op: string, source: {_SOURCE}, before: {_THERE}, after: {_THERE}>"
TIMES = (-62_135_510_400_000_000, 253_402_214_400_000_000)
"""Microseconds since 1970 that can be a time: a day within those that Python knows, to leave room for zones."""


def parse(messages: DataFrame) -> DataFrame:
    """Add what the messages say; of one that cannot be read, only why.

    Args:
        messages: key, value (binary) and headers, besides whatever else.

    Returns:
        operation, epoch, lsn, transaction_id, committed_at, snapshot and malformed, instead of headers.
    """
    # Of the bytes as they are, for what Spark parses it looks at by reflection; that they are text is asked apart.
    told = F.from_json(F.col("value").cast("string"), VALUE)
    # Once, as a column of its own: it is looked at nine times.
    read = messages.withColumns({"_told": told, "_epoch": _header(HEADER)})
    source = F.col("_told").getField("source")
    value = {
        "operation": F.when(F.col("value").isNull(), F.lit("tombstone")).otherwise(F.col("_told").getField("op")),
        "epoch": F.col("_epoch"),
        "lsn": _position(source),
        "transaction_id": source.getField("txId"),
        "committed_at": F.timestamp_micros(source.getField("ts_us")),
        "snapshot": source.getField("snapshot"),
    }
    read = read.withColumn("malformed", _malformed())
    readable = {name: F.when(F.col("malformed").isNull(), column) for name, column in value.items()}
    return read.withColumns(readable).drop("_told", "_epoch", "headers")


def of_a_snapshot() -> Column:
    """Whether a change of bronze is a row of the snapshot that its epoch begins with: true or false, never null."""
    return F.coalesce(F.col("snapshot").isin(*_OF_A_SNAPSHOT), F.lit(False))


def place() -> Column:
    """Topic and partition of a change of bronze, as Kafka names a partition."""
    return F.concat_ws("-", "topic", "partition")


def _malformed() -> Column:
    """The first thing that keeps a message from being a change; a tombstone says nothing that could be wrong."""
    told, tombstone = F.col("_told"), F.col("value").isNull()
    operation, source = told.getField("op"), told.getField("source")
    faults = {
        "value: not UTF-8": ~F.is_valid_utf8(F.col("value")),
        "value: not JSON of an envelope": told.isNull() | operation.isNull() | source.isNull(),
        "value: unknown operation": ~operation.isin(*OPERATIONS),
        "value: no position": _position(source).isNull(),
        "value: no time": source.getField("ts_us").isNull() | ~source.getField("ts_us").between(*TIMES),
        "value: no row": (operation.isin(*WITH_ROW_AFTER) & told.getField("after").isNull())
        | ((operation == DELETE) & told.getField("before").isNull()),
        "key: missing": (operation != TRUNCATE) & F.col("key").isNull(),
        "header: no epoch": F.col("_epoch").isNull() | ~F.col("_epoch").rlike(rf"\A{_EPOCH}\z"),
    }
    first = F.coalesce(*(F.when(is_so, F.lit(words)) for words, is_so in faults.items()))
    return F.when(~tombstone, first)


def _position(source: Column) -> Column:
    """How far the log was committed when the change came: rises in the order of the topic, as `lsn` does not.

    A row that an incremental snapshot read has no `lsn` (seen). Nor would one help: a change that a long transaction
    wrote before that row was read, and committed after, has an earlier one, and the row does not know of it. This is
    the first part of `sequence`, absent until a first transaction was read; before that `lsn` rises.
    """
    told = F.regexp_extract(source.getField("sequence"), r'^\["(\d+)"', 1)
    return F.coalesce(told.try_cast("bigint"), source.getField("lsn"))


_EPOCH = TEXT.pattern.replace("?P<since>", "").replace("?P<system_identifier>", "").replace("?P<timeline>", "")


def _header(name: str) -> Column:
    found = F.filter("headers", lambda header: header.getField("key") == name)
    return F.try_element_at(found, F.lit(-1)).getField("value").cast("string")
