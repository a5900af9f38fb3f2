"""Labels that later events tell: the mirror of an aggregation, and known only when its window is over."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.aggregations import Aggregation, EventLabel
from spark_jobs.transforms.aggregation import MICROS, aggregate


def add_event_label(
    rows: DataFrame, events: DataFrame, label: EventLabel, *, now: int | None, few: bool = False
) -> DataFrame:
    """Add `label`: 1 if an event comes in (t, t + within], 0 if none does, null while one still may.

    A yes waits for the end of its window as a no does: were it told at once, the newest labelled rows would nearly all
    be positive, and a model would learn from them. Null, too, where a row lacks what the event has to share.

    Args:
        now: `newest` of all events; nothing else says how late it is.
    """
    later = aggregate(
        rows.select("row_key", "event_timestamp", *label.same), events, (events_of(label),), few=few, mirrored=True
    )
    told = later.select("row_key", (F.col(_LATER) > 0).cast("int").alias("label"))
    return rows.join(told, "row_key", "left").withColumn("label", F.when(is_over(label, now), F.col("label")))


def events_of(label: EventLabel) -> Aggregation:
    """The label as an aggregation: how many such events there are, to be counted with time mirrored."""
    return Aggregation(name=_LATER, key=label.same, function="count", where=label.event, window=label.within)


def newest(events: DataFrame) -> int | None:
    """The time of the newest event, in microseconds; None if there is none."""
    found: int | None = events.agg(F.max(F.unix_micros("event_timestamp"))).collect()[0][0]
    return found


def is_over(label: EventLabel, newest_micros: int | None) -> Column:
    """Whether the window of a row is over: an event newer than its end has been seen."""
    if newest_micros is None:
        return F.lit(False)
    return F.unix_micros("event_timestamp") < newest_micros - label.within_seconds * MICROS


_LATER = "later_events"
