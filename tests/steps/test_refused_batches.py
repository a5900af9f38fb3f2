"""A refused batch waits for a person: rejected, its bad files never reach silver; accepted, it passes, once."""

from collections.abc import Iterator, Mapping

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.aggregations import Where
from millrace.contract.errors import LostRaceError, MillraceError, VerdictError
from millrace.contract.problem import Problem
from millrace.contract.source import Source
from millrace.steps.contract_in_force import apply_contract
from millrace.steps.decide_batch import decide
from millrace.steps.ingest_changes import ingest_changes
from millrace.steps.lineage import bronze_of_gold
from millrace.steps.needed_snapshots import needed_snapshots
from millrace.steps.pending import pending_transform
from millrace.steps.refused_batches import RefusedBatch, refused_batches
from spark_jobs.maintain import expire
from tests.steps.transforming import (
    COLUMNS,
    gold,
    ingest,
    own_problem,
    problem_named,
    removed_afterwards,
    silver,
    to_gold,
    to_silver,
    with_topic,
)
from tests.topics import own_topic, produced

pytestmark = pytest.mark.stack
GOOD, WORSE = 30, 40


@pytest.fixture
def problem() -> Iterator[Problem]:
    """Half a file may be quarantined; a good file is in gold, a bad one was refused, and a good one landed since."""
    with own_problem() as found:
        yield strict(found)


def strict(problem: Problem, **columns: object) -> Problem:
    mark = problem.problem.removeprefix("t_")
    return problem_named(mark, COLUMNS | columns, quality={"max_quarantined_share": 0.5})


def good(name: str) -> list[str]:
    return [f"{name}{n},2026-01-01,5,x,1,1" for n in range(GOOD)]


def bad(name: str) -> list[str]:
    """A quarter of its rows are valid."""
    return [f"{name}{n},2026-01-01,{5 if n % 4 == 0 else 500},x,1,1" for n in range(WORSE)]


def keys(rows: Mapping[str, object]) -> set[str]:
    """The files whose rows are there."""
    return {key[2] for key in rows}


def refused(spark: SparkSession, problem: Problem) -> RefusedBatch:
    """The batch of a bad file b, and of a good one c beside it, after a good file a."""
    ingest(problem, "a", *good("a"))
    to_gold(spark, problem, "a")
    ingest(problem, "b", *bad("b"))
    ingest(problem, "c", *good("c"))
    with pytest.raises(VerdictError) as told:
        to_silver(spark, problem, "refused")
    (batch,) = refused_batches(problem)
    assert f"{problem.landing_prefix}b.csv 75.0% (30 of 40 rows)" in told.value.found
    assert f"`millrace reject {problem.problem} {batch.batch} --reason …`" in told.value.fix
    return batch


def test_a_rejected_file_never_reaches_silver_and_the_others_go_on(spark: SparkSession, problem: Problem) -> None:
    batch = refused(spark, problem)
    pending = pending_transform(problem)
    assert pending is not None
    assert f"batch {batch.batch} was refused by the check of silver" in pending
    # Good files that land later do not make the bad one pass.
    ingest(problem, "d", *good("d"), *good("e"), *good("f"))
    with pytest.raises(VerdictError):
        to_silver(spark, problem, "again")
    assert [one.batch for one in refused_batches(problem)] == [batch.batch]

    done = decide(problem, batch.batch, "rejected", actor="ann", reason="the scale was broken")
    assert [file.path for file in done.set_aside_by_rejection] == [f"{problem.landing_prefix}b.csv"]
    to_gold(spark, problem, "after")
    assert keys(silver(problem)) == keys(gold(problem)) == {"a", "c", "d", "e", "f"}
    assert lake.count(names.bronze_files(problem.source_name), where=f"path == '{problem.landing_prefix}b.csv'") > WORSE
    assert "refused" not in (pending_transform(problem) or "")
    with pytest.raises(LostRaceError):
        decide(problem, batch.batch, "accepted", actor="bob", reason="I like it")

    # Neither a rebuild nor the next file brings it back.
    wider = strict(problem, size={"type": "number", "min": 0, "max": 1000})
    apply_contract(wider, actor="ann", reason="larger ones")
    assert to_gold(spark, wider, "rebuilt")["rebuilt"]
    assert keys(gold(wider)) == {"a", "c", "d", "e", "f"}


def test_an_accepted_batch_passes_once_and_no_other(spark: SparkSession, problem: Problem) -> None:
    batch = refused(spark, problem)
    ingest(problem, "d", *bad("d"))
    decide(problem, batch.batch, "accepted", actor="ann", reason="a quarter is better than nothing")
    to_gold(spark, problem, "accepted")
    assert keys(gold(problem)) == {"a", "b", "c"}
    with pytest.raises(VerdictError) as told:
        to_silver(spark, problem, "next")
    assert "d.csv 75.0%" in told.value.found
    assert "b.csv" not in told.value.found


def test_a_span_of_rejected_files_only_is_passed_over(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "b", *bad("b"))
    with pytest.raises(VerdictError):
        to_silver(spark, problem, "refused")
    (batch,) = refused_batches(problem)
    decide(problem, batch.batch, "rejected", actor="ann", reason="broken")
    assert to_silver(spark, problem, "empty")["changed"] == 0
    assert pending_transform(problem) is None
    ingest(problem, "a", *good("a"))
    to_gold(spark, problem, "good")
    assert keys(gold(problem)) == {"a"}


def test_a_batch_whose_place_a_newer_one_took_cannot_be_accepted(spark: SparkSession, problem: Problem) -> None:
    few = strict(problem)
    few = few.model_copy(update={"sources": {name: with_min_rows(s, 2 * GOOD) for name, s in few.sources.items()}})
    ingest(few, "a", *good("a"))
    with pytest.raises(VerdictError):
        to_silver(spark, few, "few")
    (first,) = refused_batches(few)
    ingest(few, "b", *good("b")[: GOOD // 2])
    with pytest.raises(VerdictError):
        to_silver(spark, few, "still few")
    newest = refused_batches(few)[-1]
    with pytest.raises(MillraceError, match="outdated"):
        decide(few, first.batch, "accepted", actor="ann", reason="enough for me")
    decide(few, newest.batch, "accepted", actor="ann", reason="enough for me")
    to_gold(spark, few, "accepted")
    assert keys(gold(few)) == {"a", "b"}


def with_min_rows(source: Source, rows: int) -> Source:
    return source.model_copy(update={"quality": source.quality.model_copy(update={"min_rows": rows})})


@pytest.fixture
def of_x(problem: Problem) -> Problem:
    """Gold holds the rows whose note, which later files correct, is x."""
    return problem.model_copy(update={"rows": Where(column="note", any_of=("x",))})


def correct_most(spark: SparkSession, problem: Problem) -> None:
    """A file a of x in gold; a file b, in silver, that makes two thirds of them y."""
    ingest(problem, "a", *good("a"))
    to_gold(spark, problem, "a")
    ingest(problem, "b", *(f"a{n},2026-01-02,5,y,1,1" for n in range(GOOD * 2 // 3)))
    to_silver(spark, problem, "b")


def refused_by_gold(spark: SparkSession, problem: Problem) -> RefusedBatch:
    with pytest.raises(VerdictError, match="check of"):
        to_gold(spark, problem, "refused")
    (batch,) = refused_batches(problem)
    assert (batch.stage, batch.rules) == ("gold", ("rows:max_row_count_drop",))
    return batch


def test_a_batch_that_gold_refused_is_rejected_with_its_files_alone(spark: SparkSession, of_x: Problem) -> None:
    correct_most(spark, of_x)
    batch = refused_by_gold(spark, of_x)
    done = decide(of_x, batch.batch, "rejected", actor="ann", reason="the notes were swapped")
    assert [file.path for file in done.set_aside_by_rejection] == [f"{of_x.landing_prefix}b.csv"]
    to_gold(spark, of_x, "after")
    assert len(gold(of_x)) == len(silver(of_x)) == GOOD
    assert "refused" not in (pending_transform(of_x) or "")


def test_a_batch_that_gold_refused_is_accepted_as_it_was(spark: SparkSession, of_x: Problem) -> None:
    correct_most(spark, of_x)
    batch = refused_by_gold(spark, of_x)
    ingest(of_x, "c", *(f"a{n},2026-01-03,5,y,1,1" for n in range(GOOD)))
    to_silver(spark, of_x, "c")
    decide(of_x, batch.batch, "accepted", actor="ann", reason="they are y")
    to_gold(spark, of_x, "accepted")
    assert len(gold(of_x)) == GOOD // 3
    # What silver took in since is another batch, which nobody accepted.
    assert "gold holds change" in (pending_transform(of_x) or "")
    with pytest.raises(VerdictError):
        to_gold(spark, of_x, "next")
    assert refused_batches(of_x)[-1].state == "refused"


def test_files_that_bronze_has_forgotten_are_not_guessed(spark: SparkSession, of_x: Problem) -> None:
    correct_most(spark, of_x)
    bronze = names.bronze_files(of_x.source_name)
    of_gold = bronze_of_gold(of_x).files
    assert of_gold is not None
    assert of_gold in needed_snapshots(of_x, bronze)
    expire(spark, bronze, [of_gold])
    batch = refused_by_gold(spark, of_x)
    with pytest.raises(MillraceError, match="no file to set aside") as told:
        decide(of_x, batch.batch, "rejected", actor="ann", reason="no")
    assert "forgotten" in told.value.found


def test_a_rebuild_that_gold_refused_is_accepted_as_it_was(spark: SparkSession, of_x: Problem) -> None:
    correct_most(spark, of_x)
    with pytest.raises(VerdictError):
        to_gold(spark, of_x, "of x")
    wider = strict(of_x, size={"type": "number", "min": 0, "max": 1000})
    of_y = wider.model_copy(update={"rows": Where(column="note", any_of=("y",))})
    apply_contract(of_y, actor="ann", reason="those that are y")
    with pytest.raises(VerdictError, match="check of"):
        to_gold(spark, of_y, "of y")
    batch = refused_batches(of_y)[-1]
    assert batch.span.rebuild
    ingest(of_y, "c", *(f"a{n},2026-01-03,5,y,1,1" for n in range(GOOD)))
    decide(of_y, batch.batch, "accepted", actor="ann", reason="they are two thirds")
    to_gold(spark, of_y, "accepted")
    assert len(gold(of_y)) == GOOD * 2 // 3
    to_gold(spark, of_y, "next")
    assert len(gold(of_y)) == GOOD


def test_gold_does_not_wait_for_a_decision_about_silver(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", *good("a"))
    to_silver(spark, problem, "a")
    ingest(problem, "b", *bad("b"))
    with pytest.raises(VerdictError):
        to_silver(spark, problem, "b")
    assert "gold holds change" in (pending_transform(problem) or "")
    to_gold(spark, problem, "gold first")
    assert keys(gold(problem)) == {"a"}
    with pytest.raises(VerdictError):
        to_silver(spark, problem, "b again")


def test_a_batch_waits_again_when_the_old_contract_is_put_back(spark: SparkSession, problem: Problem) -> None:
    batch = refused(spark, problem)
    narrow = strict(problem, size={"type": "number", "max": 1})
    apply_contract(narrow, actor="ann", reason="only small ones")
    with pytest.raises(VerdictError):
        to_silver(spark, narrow, "narrow")
    apply_contract(problem, actor="ann", reason="a mistake")
    assert f"batch {batch.batch} was refused" in (pending_transform(problem) or "")
    decide(problem, batch.batch, "accepted", actor="ann", reason="as it is")
    to_gold(spark, problem, "accepted")
    assert keys(gold(problem)) == {"a", "b", "c"}


def test_what_cannot_be_decided_is_told(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", *good("a"))
    to_gold(spark, problem, "a")
    with pytest.raises(MillraceError, match="has no batch 12345678"):
        decide(problem, "12345678", "rejected", actor="ann", reason="no")
    narrow = strict(problem, size={"type": "number", "max": 1})
    apply_contract(narrow, actor="ann", reason="only small ones")
    with pytest.raises(VerdictError, match="check of"):
        to_silver(spark, narrow, "narrow")
    (batch,) = refused_batches(problem)
    with pytest.raises(MillraceError, match="would leave nothing"):
        decide(narrow, batch.batch, "rejected", actor="ann", reason="no")


def test_the_only_file_is_rejected_where_other_rows_came_by_a_topic(spark: SparkSession, problem: Problem) -> None:
    fed = with_topic(problem, {"name": f"sales.of_{problem.problem}"})
    with removed_afterwards(fed), own_topic(fed, f"sales.of_{problem.problem}") as sender:
        row = {"seen_at": "2026-01-01T00:00:00Z", "size": 5.5, "note": "x", "phone": "1", "sold": None}
        sender.send(*(produced({"id": f"t{n}"} | row) for n in range(GOOD)))
        ingest_changes(spark, fed, attempt="topic", run_id="topic")
        to_gold(spark, fed, "topic")
        ingest(fed, "b", *bad("b"))
        with pytest.raises(VerdictError):
            to_silver(spark, fed, "refused")
        [batch] = refused_batches(fed)
        decide(fed, batch.batch, "rejected", actor="ann", reason="measured in inches", every_file=False)
        to_gold(spark, fed, "after")
        assert keys(gold(fed)) == {"t"}
