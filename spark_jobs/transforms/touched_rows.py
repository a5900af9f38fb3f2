"""Which rows of gold may read otherwise than before, after some events came, changed or went."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.contract.aggregations import Aggregation, EventLabel, columns_read
from millrace.contract.problem import Problem
from spark_jobs.transforms.aggregation import MICROS, aggregate, union
from spark_jobs.transforms.event_label import events_of, newest


def touched_keys(
    rows: DataFrame, problem: Problem, *, before: DataFrame, after: DataFrame, changed: DataFrame, now: int | None
) -> DataFrame:
    """`row_key` of what is to be told anew, each once: all that changed, and the rows that see any of it.

    An event at s touches the rows of its key in (s, s + window], and for a label those in [s - within, s). Which they
    are is asked as aggregations are computed: how many of the events that differ does a row see?

    Args:
        rows: The rows that gold is to hold.
        before: All of silver that was not deleted when gold was last written.
        after: All of silver that is not deleted now.
        changed: `row_key` of what differs between the two.
        now: `event_label.newest` of `after`.
    """
    read = sorted({"row_key", "event_timestamp", *columns_read(problem.aggregations, problem.label, problem.rows)})
    versions = before.select(*read).unionByName(after.select(*read))
    # Computed once and without its history: a plan that holds it in full at each use outgrows the server.
    differing = versions.join(changed, "row_key", "left_semi").localCheckpoint()
    touched = [changed, *_seeing(rows, differing, _as_counts(problem), mirrored=False)]
    if isinstance(problem.label, EventLabel):
        touched += _seeing(rows, differing, [events_of(problem.label)], mirrored=True)
        touched.append(rows.where(_became_known(problem.label, newest(before), now)).select("row_key"))
    return union(touched).distinct()


def _seeing(
    rows: DataFrame, events: DataFrame, counts: Sequence[Aggregation], *, mirrored: bool
) -> Iterator[DataFrame]:
    for key, members in groupby(sorted(counts, key=lambda one: one.key), key=lambda one: one.key):
        of_key = list(members)
        sharing = rows.select("row_key", "event_timestamp", *key).join(
            events.select(*key).distinct(), [*key], "left_semi"
        )
        told = aggregate(sharing, events, of_key, mirrored=mirrored)
        yield told.where(reduce(Column.__or__, (F.col(one.name) > 0 for one in of_key))).select("row_key")


def _as_counts(problem: Problem) -> list[Aggregation]:
    """Each key, kind of event and window once, as a count."""
    looks = {(one.key, one.where, one.window) for one in problem.aggregations}
    in_order = sorted(looks, key=repr)
    return [
        Aggregation(name=f"looks_{number}", key=key, function="count", where=where, window=window)
        for number, (key, where, window) in enumerate(in_order)
    ]


def _became_known(label: EventLabel, before: int | None, now: int | None) -> Column:
    """Whether a row's window ended, or is open again, because the newest event is another one."""
    ends = sorted(end for end in (before, now) if end is not None)
    if len(ends) < 2:
        return F.lit(bool(ends))
    first, last = (end - label.within_seconds * MICROS for end in ends)
    at = F.unix_micros("event_timestamp")
    return (at >= first) & (at < last)
