"""The receipt of a version: from the control tables of a real Postgres to the commits of a real Iceberg table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from millrace.adapters import champions, control
from millrace.adapters.lake import reading
from millrace.adapters.lake.receipts import GOLD_SEQ, RECEIPT, origin
from millrace.domain.batches import FILES_TOLD
from serving import receipts
from tests.postgres_alone import postgres_alone

ROWS = pa.table({"a": [1]})
TAG = "trained_run_1"


@pytest.fixture
def gold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("gold")
    monkeypatch.setattr(reading, "catalog", lambda: catalog)
    return catalog.create_table("gold.loan", ROWS.schema)


def commit(gold: Table, *files: str, **more: Any) -> int:
    told = {"files": list(files), **more}
    number = 1 + sum(RECEIPT in one.summary.additional_properties for one in gold.snapshots())
    gold.append(ROWS, snapshot_properties={RECEIPT: json.dumps(told), GOLD_SEQ: str(number)})
    return snapshot(gold)


def snapshot(gold: Table) -> int:
    found = gold.current_snapshot()
    assert found is not None
    return found.snapshot_id


def test_the_receipts_behind_a_tag_are_added_up(gold: Table) -> None:
    commit(gold, "b.csv", "a.csv", offsets={"topic": 5})
    gold.append(ROWS)
    tagged = commit(gold, "c.csv", "a.csv", offsets={"topic": 9})
    gold.manage_snapshots().create_tag(tagged, TAG).commit()
    commit(gold, "later.csv", offsets={"topic": 12})
    found = origin("gold.loan", TAG)
    assert found is not None
    assert (found.snapshot_id, found.files, found.offsets) == (tagged, ("a.csv", "b.csv", "c.csv"), {"topic": 9})
    assert found.is_whole


def test_a_receipt_that_may_lack_files_says_so(gold: Table) -> None:
    commit(gold, *(f"{number}.csv" for number in range(FILES_TOLD)))
    found = origin("gold.loan", "main")
    assert found is not None
    assert not found.is_whole


def test_a_receipt_whose_beginning_has_expired_says_so(gold: Table) -> None:
    first = commit(gold, "a.csv")
    commit(gold, "b.csv")
    gold.maintenance.expire_snapshots().by_id(first).commit()
    found = origin("gold.loan", "main")
    assert found is not None
    assert (found.files, found.is_whole) == (("b.csv",), False)


def test_there_is_no_such_tag_or_table(gold: Table) -> None:
    commit(gold, "a.csv")
    assert origin("gold.loan", "trained_other") is None
    assert origin("gold.nothing", TAG) is None


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with postgres_alone():
        control._create_schema.cache_clear()
        detail = {"uri": "s3://models/loan/packages/x/", "content_hash": "abc", "run_key": "run_1", "gold_tag": TAG}
        for problem in ("loan", "other"):
            champions.record_transition(
                problem, 3, "registered", "test", "because", {**detail, "gold_snapshot": 8773044883344685640}
            )
        yield
    control._create_schema.cache_clear()


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    receipts._receipt.cache_clear()


def test_a_version_leads_to_its_content_its_gold_and_its_files(gold: Table) -> None:
    gold.manage_snapshots().create_tag(commit(gold, "a.csv"), TAG).commit()
    assert receipts.receipt("loan", 3) == {
        "version": 3,
        "content_hash": "abc",
        "package": "s3://models/loan/packages/x/",
        "training_run": "run_1",
        "gold": {"table": "gold.loan", "snapshot": "8773044883344685640", "tag": TAG},
        "bronze": {"files": ("a.csv",), "offsets": None, "is_whole": True},
        "trouble": None,
    }


def test_a_lake_that_is_away_is_told_and_asked_again(gold: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    gold.manage_snapshots().create_tag(commit(gold, "a.csv"), TAG).commit()

    def away() -> None:
        raise ConnectionError("nobody there")

    with monkeypatch.context() as patched:
        patched.setattr(reading, "catalog", away)
        told = receipts.receipt("loan", 3)
    assert (told["bronze"], told["version"]) == (None, 3)
    assert "ConnectionError" in told["trouble"]
    assert receipts.receipt("loan", 3)["trouble"] is None


def test_a_version_that_nobody_registered_is_told(gold: Table) -> None:
    assert "no version 4" in receipts.receipt("loan", 4)["trouble"]


def test_gold_that_was_made_anew_has_lost_the_tag(gold: Table) -> None:
    told = receipts.receipt("other", 3)
    assert told["content_hash"] == "abc"
    assert TAG in told["trouble"]
