"""A range of a topic into bronze, parsed and checked, beside a plain read-and-append of the same range."""

import json
import statistics
import time
import uuid
from contextlib import AbstractContextManager

import pytest
from pyspark.sql import SparkSession

from benchmarks import report
from benchmarks.resident import service_bytes
from millrace.adapters import connect, lake
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.change_backlog import waiting_changes
from millrace.steps.ingest_changes import ingest_changes
from tests.steps.transforming import problem_named, removed_afterwards
from tests.topics import Sender, own_topic, rows

pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(1800)]
MESSAGES = 500_000
IN_A_TRANSACTION = 10_000
PAIRS = 3
BACKLOG, A_RUN_TAKES = 5_000_000, 550_000
"""A run takes all that the first benchmark sends, markers of transactions included."""
GOAL = 0.8


def test_messages_to_bronze_beside_a_plain_append() -> None:
    pairs, empty = [], []
    with connect.session() as spark:
        for _ in range(PAIRS + 1):  # the first warms the server up, and is not counted
            with followed_sales() as problem, own_topic(problem) as sender:
                fill(sender, MESSAGES)
                pairs.append((plain_seconds(spark, problem), own_seconds(spark, problem)))
                empty.append(own_seconds(spark, problem))
    plain, ours = (statistics.median(times) for times in zip(*pairs[1:], strict=True))
    share = statistics.median(one / other for one, other in pairs[1:])
    report.write(
        "changes",
        f"{MESSAGES:,} messages of a topic into bronze",
        {
            "plain read-and-append": f"{plain:.1f} s, {MESSAGES / plain:,.0f} messages a second",
            "**parsed, judged, appended with offsets, checked, published**": f"**{ours:.1f} s,"
            f" {MESSAGES / ours:,.0f} messages a second**",
            "**throughput beside the plain one**, median of pairs": f"**{share:.2f}** (goal ≥ {GOAL})",
            "a run that finds nothing": f"{statistics.median(empty[1:]):.2f} s (goal ≤ 2)",
        },
        how=(
            f"Inserted rows as Debezium sends them, in transactions of {IN_A_TRANSACTION:,}, one partition. The "
            "plain way reads the same range with the same isolation, by Spark's defaults, and appends what it reads: "
            f"nothing is parsed, counted or recorded. Median of {PAIRS} pairs after one that is not counted."
        ),
    )
    assert share >= GOAL


def test_a_long_backlog_is_worked_off_with_flat_memory() -> None:
    seconds: list[float] = []
    memory: list[float] = []
    with connect.session() as spark, followed_sales() as problem, own_topic(problem) as sender:
        fill(sender, BACKLOG)
        left = BACKLOG
        while left:
            began, attempt = time.perf_counter(), uuid.uuid4().hex
            left = ingest_changes(spark, problem, attempt=attempt, run_id=attempt)["left"]
            seconds.append(time.perf_counter() - began)
            memory.append(service_bytes("spark") / 1024**2)
        assert lake.count(names.bronze_changes(problem.source_name)) == BACKLOG
    half = len(memory) // 2
    first, second = max(memory[:half]), max(memory[half:])
    report.write(
        "changes-backlog",
        f"A backlog of {BACKLOG:,} messages",
        {
            "runs until nothing is left": f"{len(seconds)}, of {A_RUN_TAKES:,} messages at most",
            "seconds of a run, first half → second half": f"{statistics.median(seconds[:half]):.1f} →"
            f" {statistics.median(seconds[half:]):.1f}, medians",
            "**memory of `spark`, first half → second half**": f"**{first:,.0f} → {second:,.0f} MiB**, the most",
        },
        how="The messages wait before the first run. Memory is the resident set of the server, after each run.",
    )
    assert second <= 1.1 * first


def followed_sales() -> AbstractContextManager[Problem]:
    plain = problem_named(uuid.uuid4().hex[:8])
    content = plain.model_dump(exclude_defaults=True)
    content["sources"][plain.source_name]["changes"] = {"max_rows": A_RUN_TAKES}
    return removed_afterwards(Problem.model_validate(content))


def fill(sender: Sender, messages: int) -> None:
    for first in range(0, messages, IN_A_TRANSACTION):
        sender.send(*rows("k", IN_A_TRANSACTION, first=first))


def plain_seconds(spark: SparkSession, problem: Problem) -> float:
    part, table = waiting_changes(problem), f"bronze.plain_{uuid.uuid4().hex[:8]}"
    told = {
        "kafka.bootstrap.servers": get_settings().kafka_servers,
        "assign": json.dumps({part.topic: sorted(part.end)}),
        "startingOffsets": json.dumps({part.topic: part.start}),
        "endingOffsets": json.dumps({part.topic: part.end}),
        "kafka.isolation.level": "read_committed",
    }
    try:
        began = time.perf_counter()
        spark.read.format("kafka").options(**told).load().writeTo(table).using("iceberg").create()
        return time.perf_counter() - began
    finally:
        lake.drop_table(table)


def own_seconds(spark: SparkSession, problem: Problem) -> float:
    began = time.perf_counter()
    attempt = uuid.uuid4().hex
    told = ingest_changes(spark, problem, attempt=attempt, run_id=attempt)
    seconds = time.perf_counter() - began
    assert lake.count(names.bronze_changes(problem.source_name)) == MESSAGES, told
    return seconds
