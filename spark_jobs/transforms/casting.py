"""From the text of a file to typed values. What cannot be read becomes null here and a reason in `quarantine`."""

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.constraints import RAW_PATTERNS, TRUE_SPELLINGS
from millrace.contract.source import BLANKS, Source
from millrace.contract.source import Column as ContractColumn

SPARK_TYPES = {
    "string": "string",
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "timestamp": "timestamp",
}


ZONED_DATE = r"([0-9]{4}-[0-9]{2}-[0-9]{2})Z"
"""A day as Debezium writes it (`time.precision.mode: isostring`); no file and no request may say it so."""


def cast_rows(rows: DataFrame, source: Source, *, zoned_dates: bool = False) -> DataFrame:
    """Add two structs with a field for each contract column: `given`, whether the file says a value, and `typed`.

    Texts and values are columns of their own first: Spark computes such a column once, however often it is looked at,
    but unfolds a struct into each of its uses.

    Args:
        rows: Bronze rows; `fields` maps a file's column names to text.
        zoned_dates: Whether a day may have a zone, as a day of a database has in a message.
    """
    columns = source.columns.items()
    texts = {_text(name): raw_text(name, column, source) for name, column in columns}
    values = {
        _value(name): typed(_without_zone(F.col(_text(name)), column, zoned_dates), column, source)
        for name, column in columns
    }
    given = [F.col(_text(name)).isNotNull().alias(name) for name in source.columns]
    told = [F.col(_value(name)).alias(name) for name in source.columns]
    cast = rows.withColumns(texts).withColumns(values)
    return cast.withColumns({"given": F.struct(*given), "typed": F.struct(*told)}).drop(*texts, *values)


def _without_zone(text: Column, column: ContractColumn, zoned_dates: bool) -> Column:
    return F.regexp_replace(text, whole(ZONED_DATE), "$1") if zoned_dates and column.type == "timestamp" else text


# Names of our own begin with "_", which no column of a contract does.
def _text(name: str) -> str:
    return f"_text_{name}"


def _value(name: str) -> str:
    return f"_value_{name}"


def raw_text(name: str, column: ContractColumn, source: Source) -> Column:
    """The text of a column as the file has it; null where the file lacks the column or spells "no value"."""
    text = F.try_element_at(F.col("fields"), F.lit(name))
    if column.header and column.header not in source.columns:
        # A file that came before the contract knew the column holds it under the file's own name.
        text = F.coalesce(text, F.try_element_at(F.col("fields"), F.lit(column.header)))
    if source.trim:
        text = _trimmed(text)
    says_nothing = text.isin(*source.null_values, *column.null_values)
    if column.type == "integer":
        # "0.0" is the zero that stands for "no value", too.
        pointed = _with_point(text, source)
        plain = F.regexp_replace(pointed, whole(r"([+-]?[0-9]+)\.0+"), "$1")
        says_nothing = says_nothing | (pointed.contains(".") & plain.isin(*source.null_values, *column.null_values))
    return F.when(~says_nothing, text)


def _trimmed(text: Column) -> Column:
    """Looks at both ends first: most texts have no blanks there, and taking them away is a walk through the text."""
    padded = reduce(or_, (end(text, F.lit(blank)) for blank in BLANKS for end in (F.startswith, F.endswith)))
    return F.when(padded, F.btrim(text, F.lit(BLANKS))).otherwise(text)


def typed(text: Column, column: ContractColumn, source: Source) -> Column:
    """The value of a column's text; null where there is none or where the text is not of the type."""
    if column.type == "string":
        return text
    if column.type in ("integer", "number"):
        text = _with_point(text, source)
    elif column.type == "timestamp" and source.dates != "iso":
        text = _with_year_first(text, source)
    looks_right = text.rlike(whole(RAW_PATTERNS[column.type]))
    if column.type == "boolean":
        value = F.lower(text).isin(*TRUE_SPELLINGS)
    elif column.type == "timestamp":
        # Spark reads "10:20" and "10:20:30Z", but not "10:20Z".
        with_seconds = F.regexp_replace(text, r"([T ][0-9]{2}:[0-9]{2})(?!:)( ?[ZU+-])", "$1:00$2")
        value = F.coalesce(text.try_cast("timestamp"), with_seconds.try_cast("timestamp"))
    elif column.type == "integer":
        value = F.substring_index(text, ".", 1).try_cast(SPARK_TYPES[column.type])
    else:
        value = text.try_cast(SPARK_TYPES[column.type])
    if column.type == "number":
        looks_right = looks_right & (F.abs(value) < F.lit(float("inf")))
    return F.when(looks_right, value)


def _with_point(text: Column, source: Source) -> Column:
    """A number as the patterns know it. Point and comma change places: "1.500" must not become one and a half."""
    return text if source.decimal == "." else F.translate(text, ".,", ",.")


def _with_year_first(text: Column, source: Source) -> Column:
    """A date that begins with its day or month, with or without a time, as ISO 8601; any other text as it is."""
    said = whole(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})(.*)")
    first, second, year = (F.regexp_extract(text, said, group) for group in (1, 3, 4))
    day, month = (first, second) if source.dates == "day_first" else (second, first)
    # Excel writes 9:05.
    time = F.regexp_replace(F.regexp_extract(text, said, 5), r"^([ T])(?=[0-9]:)", "$10")
    told = F.concat(year, F.lit("-"), F.lpad(month, 2, "0"), F.lit("-"), F.lpad(day, 2, "0"), time)
    return F.when(text.rlike(said), told).otherwise(text)


def whole(pattern: str) -> str:
    r"""A Java pattern for the whole value: `$` would pass over a last line end; (?d) leaves \n as the only one."""
    return rf"(?d)\A(?:{pattern})\z"
