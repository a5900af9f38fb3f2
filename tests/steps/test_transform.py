"""Bronze to silver to gold: each row counts once, broken ones are kept with their reasons, no one sees a bad batch."""

import json
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from millrace.adapters import lake, object_store
from millrace.contract import names
from millrace.contract.errors import LostRaceError, VerdictError
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps import recorded
from millrace.steps.build_gold_data import build_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.contract_in_force import apply_contract
from millrace.steps.pending import pending_transform
from millrace.steps.transform_data import transform_data
from spark_jobs import fenced_write
from tests.steps.transforming import (
    COLUMNS,
    gold,
    ingest,
    own_problem,
    problem_named,
    quarantine,
    silver,
    to_gold,
    to_silver,
)

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[Problem]:
    with own_problem() as problem:
        yield problem


def heads(problem: Problem) -> list[lake.Head | None]:
    source = problem.source_name
    return [lake.head(t) for t in (names.silver(source), names.quarantine(source), names.gold(problem.problem))]


def branches(problem: Problem) -> list[str]:
    source = problem.source_name
    tables = (names.silver(source), names.quarantine(source), names.gold(problem.problem))
    return [branch for table in tables for branch in lake.stray_branches(table, older_than_seconds=-1)]


def test_valid_rows_reach_gold_and_broken_ones_quarantine_with_all_their_reasons(
    spark: SparkSession, problem: Problem
) -> None:
    ingest(
        problem,
        "a",
        "k1,2026-01-01,5.5,first,123,1",
        "k2,2026-01-02,6,,124,",
        "k3,yesterday,101,x,125,7",
        "k4,2026-01-04",
        "k5,2026-01-05,1,x,12a,0",
    )
    built = to_gold(spark, problem)
    assert set(silver(problem)) == {'["k1"]', '["k2"]'}
    assert silver(problem)['["k1"]']["phone"] == "123"
    assert [row["reasons"] for row in quarantine(problem)] == [
        ["type:seen_at", "range:size", "allowed:sold"],
        ["row:field_count"],
        ["pattern:phone"],
    ]
    assert [row["row_key"] for row in quarantine(problem)] == ['["k3"]', None, '["k5"]']
    rows = gold(problem)
    assert (rows['["k1"]']["label"], rows['["k2"]']["label"]) == (1, None)
    assert set(rows['["k1"]']) == {"row_key", "event_timestamp", "size", "note", "label", "gold_seq"}
    assert built["changed"] == 2
    assert pending_transform(problem) == f"the warehouse does not hold {names.gold(problem.problem)}"


def test_a_second_run_changes_nothing(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,bad,5,x,1,1")
    to_gold(spark, problem, "first")
    before = heads(problem)
    transformed = to_silver(spark, problem, "second")
    built = build_gold_data(spark, problem, attempt="second", run_id="second")
    assert (transformed["branch"], transformed["changed"], built["branch"], built["changed"]) == (None, 0, None, 0)
    assert heads(problem) == before
    assert branches(problem) == []


def test_the_same_rows_again_move_nothing_that_gold_would_read(spark: SparkSession, problem: Problem) -> None:
    rows = ("k1,2026-01-01,5,x,1,1", "k2,2026-01-01,300,x,1,1")
    ingest(problem, "a", *rows)
    to_gold(spark, problem, "first")
    before = gold(problem)
    ingest(problem, "b", *rows)
    to_gold(spark, problem, "second")
    assert gold(problem) == before
    row = silver(problem)['["k1"]']
    assert (row["changed_seq"], row["source_file"]) == (1, f"{problem.landing_prefix}a.csv")
    assert row["last_position"]["path"].endswith("b.csv")
    assert len(quarantine(problem)) == 2  # two rows of two files, each once


def test_a_file_that_is_put_back_corrects_what_had_replaced_it(spark: SparkSession, problem: Problem) -> None:
    for run, (size, note, sold) in enumerate(((1, "first", 0), (2, "second", 1), (1, "first", 0))):
        ingest(problem, "a", f"k1,2026-01-01 00:00:00,{size},{note},123,{sold}")
        to_silver(spark, problem, f"run {run}")
    (row,) = silver(problem).values()
    assert (row["size"], row["note"], row["sold"]) == (1, "first", 0)
    assert row["first_position"]["major"] < row["last_position"]["major"] == row["label_position"]["major"]


def test_a_late_label_brings_no_late_feature_with_it(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,early,1,", "k2,2026-01-01,7,early,1,0")
    to_gold(spark, problem, "first")
    ingest(problem, "b", "k1,2026-01-01,50,late,1,1", "k2,2026-01-01,7,early,1,")
    to_gold(spark, problem, "second")
    one, two = gold(problem)['["k1"]'], gold(problem)['["k2"]']
    assert (one["size"], one["note"], one["label"], one["gold_seq"]) == (5, "late", 1, 2)
    assert (two["label"], two["gold_seq"]) == (0, 1)


def test_a_broken_newer_version_leaves_the_last_valid_one_and_says_so(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,2026-01-01,5,x,1,1")
    to_silver(spark, problem, "first")
    ingest(problem, "b", "k1,2026-01-01,500,x,1,1")
    to_silver(spark, problem, "second")
    stale = silver(problem)['["k1"]']
    assert (stale["size"], stale["changed_seq"]) == (5, 1)
    assert stale["stale_since"] is not None
    assert silver(problem)['["k2"]']["stale_since"] is None
    ingest(problem, "c", "k1,2026-01-01,6,y,1,1")
    to_silver(spark, problem, "third")
    mended = silver(problem)['["k1"]']
    assert (mended["stale_since"], mended["size"], mended["note"], mended["changed_seq"]) == (None, 5, "y", 3)


def test_a_bad_batch_is_never_visible(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1")
    to_gold(spark, problem, "good")
    strict = problem_named(problem.problem.removeprefix("t_"), quality={"max_quarantined_share": 0.4})
    assert strict.contract_hash() == problem.contract_hash()  # limits decide about batches, not about rows
    silver_before, _, gold_before = heads(problem)
    ingest(problem, "b", "k2,2026-01-01,5,x,1,1", "k3,2026-01-01,-5,x,1,1")
    with pytest.raises(VerdictError) as refused:
        to_gold(spark, strict, "bad")
    assert f"batch:max_quarantined_share: {problem.landing_prefix}b.csv 50.0% (1 of 2 rows)" in refused.value.found
    assert "≤ 40.0% of a file" in refused.value.expected
    assert problem.problem in str(refused.value)
    silver_after, _, gold_after = heads(problem)
    assert (silver_after, gold_after) == (silver_before, gold_before)
    assert branches(problem) == []
    assert [row["reasons"] for row in quarantine(problem)] == [["range:size"]]
    assert pending_transform(problem) is not None
    # The batch is still there for whoever decides about it.
    to_gold(spark, problem, "accepted")
    assert set(gold(problem)) == {'["k1"]', '["k2"]'}
    assert len(quarantine(problem)) == 1


def test_an_empty_table_and_a_shrunken_one_are_refused(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,-5,x,1,1")
    with pytest.raises(VerdictError) as refused:
        to_silver(spark, problem, "empty")
    assert "rows:min_rows: 0" in refused.value.found
    ingest(problem, "b", *(f"k{n},2026-01-01,{n},x,1,1" for n in range(20)))
    to_silver(spark, problem, "many")
    narrow = COLUMNS | {"size": {"type": "number", "min": 0, "max": 9}}
    narrowed = problem_named(problem.problem.removeprefix("t_"), narrow)
    apply_contract(narrowed, actor="ann", reason="only small ones")
    with pytest.raises(VerdictError) as refused:
        to_silver(spark, narrowed, "few")
    assert "rows:max_row_count_drop: 10" in refused.value.found
    assert len(silver(problem)) == 20


def test_another_contract_judges_every_row_again(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,2026-01-01,50,y,1,1", "k3,2026-01-01,500,z,1,1")
    to_gold(spark, problem, "first")
    table = names.gold(problem.problem)
    old = lake.head(table)
    assert old is not None
    wide = COLUMNS | {"size": {"type": "number", "max": 1000}, "note": {"type": "string", "sensitive": True}}
    changed = problem_named(problem.problem.removeprefix("t_"), wide)
    untouched = heads(problem)
    with pytest.raises(VerdictError, match="is not applied") as refused:
        to_gold(spark, changed, "waits")
    assert refused.value.fix.startswith(f"`millrace plan {problem.problem}`")
    assert "`millrace apply" in (pending_transform(changed) or "")
    assert heads(problem) == untouched
    apply_contract(changed, actor="ann", reason="larger sizes are sold now")
    assert (pending_transform(changed) or "").startswith("the contract changed since silver was written")
    assert to_gold(spark, changed, "second")["rebuilt"]
    assert set(gold(changed)) == {'["k1"]', '["k2"]', '["k3"]'}
    assert "note" not in gold(changed)['["k1"]']
    before = lake.read(table, snapshot_id=old.snapshot_id).to_pylist()
    assert {row["note"] for row in before} == {"x", "y"}
    assert [row["contract_hash"] for row in quarantine(problem)] == [problem.contract_hash()]
    assert recorded.recorded(table, recorded.SILVER_SNAPSHOT).contract_hash == changed.contract_hash()


def test_a_contract_that_came_and_went_loses_no_value(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,2026-01-01,6,y,1,1")
    to_gold(spark, problem, "first")
    tried = problem_named(problem.problem.removeprefix("t_"), COLUMNS | {"note": {"type": "integer", "nullable": True}})
    apply_contract(tried, actor="ann", reason="a try")
    with pytest.raises(VerdictError, match="check of"):  # every row is quarantined, so silver would be empty
        to_silver(spark, tried, "tried")
    ingest(problem, "b", "k3,2026-01-01,7,z,1,1")
    to_gold(spark, problem, "back")
    assert [row["note"] for row in silver(problem).values()].count(None) == 0
    assert {row["note"] for row in gold(problem).values()} == {"x", "y", "z"}


def test_columns_may_have_the_names_that_spark_code_likes(spark: SparkSession, problem: Problem) -> None:
    liked = ("before", "refused", "typed", "first", "last", "known", "position", "path", "t", "s", "value")
    columns = COLUMNS | {name: {"type": "integer"} for name in liked}
    named = problem_named(problem.problem.removeprefix("t_"), columns)
    header = ",".join(columns)
    for name, size in (("a", "5"), ("b", "500")):
        ingest(named, name, f"k1,2026-01-01,{size},x,1,1" + ",1" * len(liked), header=header)
        to_gold(spark, named, name)
    (row,) = gold(named).values()
    assert {row[name] for name in liked} == {1}
    assert silver(named)['["k1"]']["stale_since"] is not None


def test_few_rows_are_merged_as_many_are(
    spark: SparkSession, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    with own_problem() as twin:
        for one, few in ((problem, fenced_write.FEW_ROWS), (twin, 0)):
            monkeypatch.setattr(fenced_write, "FEW_ROWS", few)
            ingest(one, "a", "k'?,2026-01-01,5,x,1,1", "k\\,2026-01-01,6,x,1,0", "k3,2026-01-01,7,x,1,0")
            to_gold(spark, one, "a")
            ingest(one, "b", "k'?,2026-01-01,5,y,1,0", "k\\,2026-01-01,6,x,1,0", "k4,2026-01-01,8,x,1,0")
            to_gold(spark, one, "b")
            found.append((gold(one), {key: row["changed_seq"] for key, row in silver(one).items()}))
    assert found[0] == found[1]
    assert [row["gold_seq"] for _, row in sorted(found[0][0].items())] == [2, 1, 2, 1]


def test_a_key_that_stands_twice_is_refused_though_its_rows_are_valid(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k2,2026-01-01,5,x,1,1")
    to_silver(spark, problem, "first")
    ingest(problem, "b", "k1,2026-01-01,5,y,1,1")
    transformed = transform_data(spark, problem, attempt="second", run_id="second")
    target = fenced_write.Target(transformed["table"], transformed["branch"], transformed["base"], {})
    row = fenced_write.read_at(spark, target.table, transformed["snapshot_id"]).where("note = 'y'")
    fenced_write.append(row, target)
    head = lake.head(target.table, target.branch)
    assert head is not None
    with pytest.raises(VerdictError, match="check of") as refused:
        check_silver_data(spark, problem, transformed | {"snapshot_id": head.snapshot_id})
    assert refused.value.found == "unique:row_key: 1 rows too many"


def test_the_second_of_two_attempts_is_refused(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1")
    slow = transform_data(spark, problem, attempt="slow", run_id="slow")
    fast = transform_data(spark, problem, attempt="fast", run_id="fast")
    published = check_silver_data(spark, problem, fast)
    with pytest.raises(LostRaceError):
        check_silver_data(spark, problem, slow)
    head = lake.head(names.silver(problem.source_name))
    assert head is not None
    assert (head.snapshot_id, len(silver(problem))) == (published["snapshot_id"], 1)
    # A retry of a task that had published finds its work done.
    assert check_silver_data(spark, problem, fast)["snapshot_id"] == published["snapshot_id"]


def test_a_file_that_was_set_aside_leaves_silver_alone(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "1,2", header="other,columns")
    assert to_silver(spark, problem)["branch"] is None
    assert branches(problem) == []


def test_a_sensitive_key_reaches_gold_as_a_hash(spark: SparkSession, problem: Problem) -> None:
    secret = problem_named(problem.problem.removeprefix("t_"), COLUMNS | {"id": {"type": "string", "sensitive": True}})
    ingest(secret, "a", "k1,2026-01-01,5,x,1,1", "k1,2026-01-01,6,y,1,0")
    to_gold(spark, secret)
    ((key, row),) = gold(secret).items()
    assert (len(key), row["size"], row["label"]) == (64, 5, 0)
    assert "k1" not in str(row)


def test_docs_and_errors_hold_no_sensitive_value(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,5550123,1")
    transformed = transform_data(spark, problem, attempt="run", run_id="a run")
    stricter = COLUMNS | {"phone": {"type": "string", "sensitive": True, "pattern": "[a-z]+"}}
    stricter |= {"size": {"type": "number", "min": 77}}
    with pytest.raises(VerdictError) as refused:
        check_silver_data(spark, problem_named(problem.problem.removeprefix("t_"), stricter), transformed)
    # Of a sensitive column not even how many rows broke its rule.
    assert "pattern:phone: broken" in refused.value.found
    bucket, folder = get_settings().reports_bucket, f"data-docs/{problem.problem}/silver/a_run/"
    page = object_store.get(bucket, f"{folder}index.html").decode()
    verdict = object_store.get(bucket, f"{folder}verdict.json").decode()
    assert "5550123" not in page + verdict + str(refused.value)
    findings = {finding["rule"]: finding for finding in json.loads(verdict)["findings"]}
    assert findings["range:size"]["observed"] == "1 of 1 rows"
    assert findings["pattern:phone"] == {
        "rule": "pattern:phone",
        "column": "phone",
        "observed": "broken",
        "limit": "holds",
        "passed": False,
    }
    assert "pattern:phone" in page
    assert "<script src=" not in page


def test_receipts_tell_what_came_in(spark: SparkSession, problem: Problem) -> None:
    ingest(problem, "a", "k1,2026-01-01,5,x,1,1", "k1,2026-01-01,6,x,1,1", "k2,x,900,x,1,1")
    to_silver(spark, problem, "first")
    ingest(problem, "b", "k3,2026-01-01,5,x,1,1")
    to_gold(spark, problem, "second")
    head = lake.head(names.gold(problem.problem))
    assert head is not None
    receipt = json.loads(head.properties[recorded.RECEIPT])
    assert receipt["files"] == [f"{problem.landing_prefix}{name}.csv" for name in "ab"]
    counts = ("rows_read", "rows_valid", "rows_quarantined", "rows_superseded")
    assert [receipt[name] for name in counts] == [4, 3, 1, 1]
    assert receipt["by_reason"] == {"range:size": 1, "type:seen_at": 1}
