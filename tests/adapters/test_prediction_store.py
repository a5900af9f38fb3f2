"""Stored predictions in a real Postgres: each once, found by id and by filter, gone with their day."""

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from millrace.adapters import prediction_store, prediction_tables
from millrace.adapters.prediction_store import Wanted, Writer
from millrace.contract.errors import MillraceError
from millrace.domain.prediction_record import AnsweredRequest, PredictionRecord
from millrace.domain.uuid7 import day_of, uuid7s
from tests.postgres_alone import Alone, postgres_alone

NOW = datetime(2026, 3, 31, 23, 59, 59, 999000, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Alone]:
    with postgres_alone() as server:
        yield server


@pytest.fixture
def connection(server: Alone) -> Iterator[prediction_tables.Connection]:
    with prediction_store.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS predictions CASCADE")
        yield connection


def id_at(moment: datetime) -> UUID:
    return uuid7s(lambda: int(moment.timestamp() * 1000) * 1_000_000, secrets.randbits)()


def record(moment: datetime = NOW, **changed: Any) -> PredictionRecord:
    told = PredictionRecord(
        id=id_at(moment),
        entity='["17"]',
        features={"Age": 40, "BMI": 30.1, "kind": "a", "none": None, "yes": True},
        probability=0.1 + 0.2,
        risk_category="medium",
        decision=True,
        factors=({"name": "Age", "value": 40, "contribution": -0.25},),
        decided_by="model",
    )
    return replace(told, **changed)


def request(*predictions: PredictionRecord, moment: datetime = NOW, **changed: Any) -> AnsweredRequest:
    told = AnsweredRequest(id_at(moment), "loan", 3, "bank", 0.004, 0, predictions)
    return replace(told, **changed)


def ids(rows: list[dict[str, Any]]) -> list[UUID]:
    return [row["id"] for row in rows]


def listed(connection: prediction_tables.Connection, limit: int = 1_000, **wanted: Any) -> list[UUID]:
    return ids(prediction_store.newest(connection, "loan", Wanted(**wanted), limit))


def test_a_prediction_is_read_as_it_was_stored(connection: prediction_tables.Connection) -> None:
    one = record()
    Writer(connection).store([request(one)])
    assert prediction_store.by_id(connection, "loan", one.id) == {
        "id": one.id,
        "time": NOW,
        "version": 3,
        "entity": '["17"]',
        "features": {"Age": 40, "BMI": 30.1, "kind": "a", "none": None, "yes": True},
        "probability": 0.1 + 0.2,
        "risk_category": "medium",
        "decision": True,
        "factors": [{"name": "Age", "value": 40, "contribution": -0.25}],
        "decided_by": "model",
        "key_id": "bank",
        "latency_seconds": 0.004,
    }


def test_nothing_is_stored_yet(connection: prediction_tables.Connection) -> None:
    assert listed(connection) == []
    assert prediction_store.by_id(connection, "loan", id_at(NOW)) is None


def test_a_replay_changes_nothing_also_on_the_next_day(connection: prediction_tables.Connection) -> None:
    before, after = record(NOW), record(NOW + timedelta(milliseconds=1))
    requests = [request(before), request(after, moment=NOW + timedelta(milliseconds=1), rows_refused=2)]
    for writer in (Writer(connection), Writer(connection)):
        writer.store(requests)
        writer.store(list(reversed(requests)))
    assert listed(connection) == [after.id, before.id]
    days = connection.execute("SELECT day FROM predictions.loan ORDER BY day").fetchall()
    assert days == [(date(2026, 3, 31),), (date(2026, 4, 1),)]
    refused = connection.execute("SELECT problem, version, rows_answered, rows_refused FROM predictions._refused_rows")
    assert refused.fetchall() == [("loan", 3, 1, 2)]


def test_partitions_are_made_for_the_day_after_too(connection: prediction_tables.Connection) -> None:
    Writer(connection).store([request(record())])
    assert prediction_tables.partitions(connection, "loan") == [date(2026, 3, 31), date(2026, 4, 1)]


def test_a_request_whose_rows_were_all_refused_is_counted(connection: prediction_tables.Connection) -> None:
    Writer(connection).store([request(rows_refused=7)])
    assert connection.execute("SELECT rows_answered, rows_refused FROM predictions._refused_rows").fetchall() == [
        (0, 7)
    ]


def test_two_replicas_make_the_tables_at_once(connection: prediction_tables.Connection) -> None:
    wrong: list[Exception] = []
    stored = [[request(record(NOW + timedelta(days=day))) for day in range(5)] for _ in range(4)]

    def store(requests: list[AnsweredRequest]) -> None:
        try:
            with prediction_store.connect() as mine:
                writer = Writer(mine)
                for one in requests:
                    writer.store([one])
        except Exception as error:  # noqa: BLE001 -- told below
            wrong.append(error)

    threads = [threading.Thread(target=store, args=(requests,)) for requests in stored]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(listed(connection)) == 20


def test_tables_that_went_under_a_living_writer_are_made_again(connection: prediction_tables.Connection) -> None:
    writer = Writer(connection)
    writer.store([request(record())])
    connection.execute("DROP TABLE predictions._loan_20260331")
    one = record()
    writer.store([request(one)])
    connection.execute("DROP SCHEMA predictions CASCADE")
    other = record()
    writer.store([request(other)])
    assert listed(connection) == [other.id]


def test_pages_follow_one_another_without_gap_or_repetition(connection: prediction_tables.Connection) -> None:
    made = [record(NOW + timedelta(hours=hour)) for hour in range(0, 100, 7)]
    Writer(connection).store([request(one) for one in made])
    pages: list[UUID] = []
    before: UUID | None = None
    while found := listed(connection, 4, before=before):
        pages += found
        before = found[-1]
    assert pages == [one.id for one in reversed(made)]


def test_each_filter_and_all_of_them(connection: prediction_tables.Connection) -> None:
    made = [record(NOW + timedelta(milliseconds=at), entity=f'["{at % 2}"]', risk_category="low") for at in range(6)]
    Writer(connection).store([request(one, version=3 + at // 3) for at, one in enumerate(made)])
    every = [one.id for one in reversed(made)]
    third = NOW + timedelta(milliseconds=2)
    assert listed(connection, since=third) == every[:4]
    assert listed(connection, since=third - timedelta(microseconds=1)) == every[:4]
    assert listed(connection, since=third + timedelta(microseconds=1)) == every[:3]
    assert listed(connection, until=third) == every[4:]
    assert listed(connection, until=third, before=made[1].id) == every[5:]
    assert listed(connection, version=4) == every[:3]
    assert listed(connection, entity='["1"]') == every[::2]
    assert listed(connection, risk_category="high") == []
    assert listed(connection, since=third, until=third + timedelta(milliseconds=2), version=3, entity='["0"]') == [
        made[2].id
    ]


def test_an_id_is_looked_for_in_its_day_alone(connection: prediction_tables.Connection) -> None:
    Writer(connection).store([request(record(NOW + timedelta(days=day))) for day in range(9)])
    plan = connection.execute(
        "EXPLAIN SELECT * FROM predictions.loan WHERE (day, id) = (%s, %s)", (day_of(id_at(NOW)), id_at(NOW))
    ).fetchall()
    assert {word for (text,) in plan for word in text.split() if word.startswith("_loan_")} >= {"_loan_20260331"}
    assert "_loan_20260401" not in str(plan)


def test_texts_that_postgres_does_not_know_are_stored_all_the_same(connection: prediction_tables.Connection) -> None:
    odd = record(features={"kind": "a\0b", "path": "\\u0000", "face": "😀", "big": 9 * 10**18, "tiny": 5e-324})
    Writer(connection).store([request(odd)])
    found = prediction_store.by_id(connection, "loan", odd.id)
    assert found is not None
    assert found["features"] == {
        "kind": "a\ufffdb",
        "path": "\\u0000",
        "face": "😀",
        "big": 9 * 10**18,
        "tiny": 5e-324,
    }


def test_what_a_row_itself_is_the_reason_for_is_told_apart(connection: prediction_tables.Connection) -> None:
    writer = Writer(connection)
    with pytest.raises(psycopg.Error) as refused:
        writer.store([request(record(), version=2**40)])
    assert prediction_store.is_its_own(refused.value)
    writer.store([request(record())])
    connection.execute("ALTER TABLE predictions.loan RENAME COLUMN entity TO other")
    with pytest.raises(psycopg.Error) as refused:
        writer.store([request(record())])
    assert not prediction_store.is_its_own(refused.value)


def test_old_days_go_with_their_counts_and_the_others_stay(connection: prediction_tables.Connection) -> None:
    made = [record(NOW + timedelta(days=day)) for day in range(4)]
    moments = [NOW + timedelta(days=day) for day in range(4)]
    Writer(connection).store(
        [request(one, moment=at, rows_refused=1) for one, at in zip(made, moments, strict=True)]
        + [request(record(NOW), problem="diabetes")]
    )
    gone, rows = prediction_tables.drop_before(connection, "loan", date(2026, 4, 2))
    assert (gone, rows) == ([date(2026, 3, 31), date(2026, 4, 1)], 2)
    assert listed(connection) == [made[3].id, made[2].id]
    assert connection.execute("SELECT count(*) FROM predictions._refused_rows").fetchall() == [(2,)]
    assert connection.execute("SELECT count(*) FROM predictions.diabetes").fetchall() == [(1,)]
    assert prediction_tables.drop_before(connection, "nothing", date(2026, 4, 2)) == ([], 0)


def test_a_day_that_is_being_read_goes_the_next_time(
    connection: prediction_tables.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_tables, "WAIT_SECONDS", 1)
    Writer(connection).store([request(record())])
    with prediction_store.connect() as reader, reader.transaction():
        reader.execute("SELECT * FROM predictions._loan_20260331")
        assert prediction_tables.drop_before(connection, "loan", date(2026, 4, 1)) == ([], 0)
    assert prediction_tables.drop_before(connection, "loan", date(2026, 4, 1)) == ([date(2026, 3, 31)], 1)


def test_problems_whose_names_look_like_partitions_do_not_meet(connection: prediction_tables.Connection) -> None:
    for name in ("loan", "loan_20260331", "refused_rows", "loan_entity"):
        Writer(connection).store([request(record(), problem=name)])
        assert connection.execute(f"SELECT count(*) FROM predictions.{name}").fetchall() == [(1,)]


def test_a_database_that_is_away_is_told_by_name(server: Alone) -> None:
    server.stop()
    try:
        began = time.monotonic()
        with pytest.raises(MillraceError, match="store of predictions cannot be reached"), prediction_store.connect():
            pass
        assert time.monotonic() - began < 5
    finally:
        server.start()
