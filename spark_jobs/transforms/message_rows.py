"""What producers send, as rows: a message is a line of a file that never ends.

Read twice, as changes are: when it is taken in, whether it can be read at all; on its way to silver, what it says.
"""

from typing import get_args

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.source import Source
from millrace.contract.topic import RowFormat
from spark_jobs.transforms.change_rows import readable
from spark_jobs.transforms.envelope import place

OPERATIONS: tuple[RowFormat, ...] = get_args(RowFormat)
"""What bronze says in `operation` of such a message: how it is to be read, whatever the contract says by then."""
_ROW = "map<string, string>"
"""Field → value as JSON writes it, a text without its quotes."""
_SHAPE: dict[RowFormat, str] = {"json": _ROW, "json_envelope": f"struct<payload: {_ROW}>"}
_STRICT = {"allowSingleQuotes": "false"}
_FAULT: dict[RowFormat, str] = {
    "json": "value: not JSON of an object",
    "json_envelope": "value: not JSON with an object as payload",
}


def parse_rows(messages: DataFrame, *, said: RowFormat) -> DataFrame:
    """Add whether messages can be read, as columns of the bronze table of changes; see `envelope.parse`.

    Args:
        messages: key, value (binary) and headers, besides whatever else.
        said: What the contract says that they are.
    """
    value, nothing = F.col("value"), F.lit(None)
    faults = {
        "value: missing": value.isNull(),
        "value: not UTF-8": ~F.is_valid_utf8(value),
        _FAULT[said]: _row(said).isNull(),
    }
    told = {
        "operation": F.lit(said),
        "epoch": nothing.cast("string"),
        "lsn": nothing.cast("bigint"),
        "transaction_id": nothing.cast("bigint"),
        "committed_at": nothing.cast("timestamp"),
        "snapshot": nothing.cast("string"),
        "malformed": F.coalesce(*(F.when(is_so, F.lit(words)) for words, is_so in faults.items())),
    }
    return messages.withColumns(told).drop("headers")


def message_rows(bronze: DataFrame, source: Source) -> DataFrame:
    """Rows as `change_rows` gives them: of a file by their position and key, and `change` says that they are of none.

    Args:
        bronze: Rows of the bronze table of changes, of which those that no producer sent are left out.
    """
    told = bronze.where(F.col("operation").isin(*OPERATIONS))
    said: Column = F.lit(None).cast(_ROW)
    for one in OPERATIONS:
        said = F.when(F.col("operation") == one, _row(one)).otherwise(said)
    # Once, as a column of its own: each part of it is looked at several times.
    told = told.withColumn("fields", F.when(F.col("malformed").isNull(), said))
    return told.select(
        place().alias("path"),
        F.col("offset").alias("row_number"),
        F.col("sent_at").alias("last_modified"),
        "fields",
        "malformed",
        F.when(F.col("malformed").isNotNull(), readable(F.col("value"))).alias("raw"),
        _assigned_key(source).alias("assigned_key"),
        F.col("operation").alias("change"),
        F.lit(0).alias("input_rank"),
        F.lit("").alias("epoch"),
        F.unix_micros("sent_at").alias("lsn"),
    )


def _row(said: RowFormat) -> Column:
    """The row of a message; null where there is none, or more than one."""
    # Of the bytes as they are: that they are text is asked apart, as in `envelope.parse`.
    text = F.col("value").cast("string")
    # As the only one of a list: of objects that follow one another Spark would read the first, and pass over the rest.
    found = F.from_json(F.concat(F.lit("["), text, F.lit("]")), f"array<{_SHAPE[said]}>", _STRICT)
    one = F.when(F.size(found) == 1, F.try_element_at(found, F.lit(1)))
    return one if said == "json" else one.getField("payload")


def _assigned_key(source: Source) -> Column:
    """The key of the first such row in a file with these fields; see `assigned_keys.key_assigner`.

    Producers send again what they got no answer for, so a second one is the same row and no other.
    """
    if source.assigned_key is None:
        return F.lit(None).cast("string")
    # In the order of their names, as they are encoded there.
    said = [F.when(_has(source, name), _pair(source, name)) for name in sorted(source.columns)]
    text = _without_control_characters(F.concat(F.lit("["), F.concat_ws(", ", *said), F.lit("]")))
    key = F.concat(F.sha2(text, 256), F.lit(":1"))
    of_its_own = F.lit(bool(source.primary_key))
    for name in source.primary_key:
        of_its_own = of_its_own & _has(source, name)
    return F.when(F.col("fields").isNotNull() & ~of_its_own, key)


def _pair(source: Source, name: str) -> Column:
    value = F.try_element_at("fields", F.lit(name))
    header = source.header_of(name)
    if header != name:
        other = F.try_element_at("fields", F.lit(header))
        value = F.when(F.map_contains_key("fields", name), value).otherwise(other)
    return F.concat(F.lit(f'["{name}", '), F.coalesce(_quoted(value), F.lit("null")), F.lit("]"))


def _has(source: Source, name: str) -> Column:
    """Whether a message has a field for the column, if only a null."""
    header = source.header_of(name)
    own = F.map_contains_key("fields", name)
    return own if header == name or header in source.columns else own | F.map_contains_key("fields", header)


def _quoted(text: Column) -> Column:
    """A text in quotes, but for its control characters."""
    escaped = F.replace(F.replace(text, F.lit("\\"), F.lit("\\\\")), F.lit('"'), F.lit('\\"'))
    return F.concat(F.lit('"'), escaped, F.lit('"'))


def _without_control_characters(text: Column) -> Column:
    """JSON as Python writes it; Spark's own writes the rarer ones otherwise."""
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
    written = {chr(code): short.get(code, f"\\u{code:04x}") for code in range(32)}
    # One after the other, but not one within the other: a plan that is nested as deep cannot be sent.
    pairs = F.array(*(F.array(F.lit(character), F.lit(said)) for character, said in written.items()))
    escaped = F.reduce(pairs, text, lambda said, pair: F.replace(said, pair[0], pair[1]))
    # Most texts have none, and one look tells.
    return F.when(text.rlike(r"[\x00-\x1f]"), escaped).otherwise(text)
