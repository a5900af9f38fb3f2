"""What the drills saw is judged: each promise that did not hold is told as broken."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from millrace.adapters.airflow_api import Run
from millrace.adapters.champions import Champion, Transition
from millrace.drills import (
    corrupt_model,
    key_change,
    kill_spark,
    leak,
    live,
    lost_event,
    lost_slot,
    poison_message,
    zombie_writer,
)
from millrace.drills.reader import tell_equal
from millrace.drills.telling import Telling

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TABLES = {"silver": "s1", "gold": "g1"}
SUSPICIOUS = {"name": "suspiciously_good", "observed": 0.98, "limit": 0.93, "passed": False, "words": "AUC"}
TOO_SLOW = {"name": "latency", "observed": None, "limit": 5.0, "passed": False, "words": "ms"}
BEFORE = {"one": [0.25, 0.5], "two": [0.25, 0.5]}


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def telling(told: io.StringIO) -> Telling:
    return Telling(Console(file=told, width=200))


@pytest.mark.parametrize(("found", "held"), [(TABLES, True), (TABLES | {"gold": "g2"}, False)])
def test_one_table_that_differs_from_the_twin_is_told(found: dict[str, str], held: bool, telling: Telling) -> None:
    tell_equal(telling, found, TABLES)
    assert telling.held == held


@pytest.mark.parametrize(("tries", "held"), [(2, True), (1, False)])
def test_a_killed_attempt_must_have_been_tried_again(tries: int, held: bool, telling: Telling) -> None:
    kill_spark.tell_tries(telling, tries)
    assert telling.held == held


@pytest.mark.parametrize(
    ("outcome", "held"),
    [
        ({"refused": "LostRaceError", "why": "Another attempt\npublished first"}, True),
        ({"refused": "SparkConnectGrpcException", "why": "the server is gone"}, False),
        ({"published": {"snapshot_id": 1}}, False),
    ],
    ids=["at the fence", "fell over something else", "published"],
)
def test_only_the_fence_refuses_a_zombie(outcome: dict[str, Any], held: bool, telling: Telling) -> None:
    zombie_writer.tell_refused(telling, outcome)
    assert telling.held == held


@pytest.mark.parametrize(
    ("run_id", "looks", "held"),
    [
        ("reconcile__2026-11-21T12__0a", 1, True),
        ("reconcile__2026-11-21T12__0a", 3, False),
        ("asset_triggered__x", 1, False),
    ],
    ids=["by the first look", "too late", "by an event that was not lost"],
)
def test_reconcile_must_have_found_it_and_soon(run_id: str, looks: int, held: bool, telling: Telling) -> None:
    run = Run("drill__transform", run_id, "running", NOW + timedelta(seconds=80), NOW, None)
    lost_event.tell_found(telling, run, NOW, looks=looks)
    assert telling.held == held


@pytest.mark.parametrize(
    ("state", "conditions", "held"),
    [("refused", [SUSPICIOUS], True), ("refused", [TOO_SLOW], False), ("passed", [], False)],
    ids=["too good", "for another reason", "passed"],
)
def test_a_leak_must_be_refused_for_being_too_good(
    state: Any, conditions: list[dict[str, Any]], held: bool, telling: Telling
) -> None:
    leak.tell_gate(telling, Transition(2, state, "gate", "", {"conditions": conditions}, NOW))
    assert telling.held == held


@pytest.mark.parametrize(("generation", "held"), [(1, True), (2, False), (None, False)])
def test_a_champion_that_moved_is_told(generation: int | None, held: bool, telling: Telling) -> None:
    now = champion(generation) if generation else None
    leak.tell_unmoved(telling, champion(1), now)
    assert telling.held == held


def champion(generation: int) -> Champion:
    return Champion("drill", 1, "s3://models/drill/", "ab" * 32, generation, None, "deploy", "", NOW, None)


@pytest.mark.parametrize(
    ("serves", "why", "held"),
    [
        ({}, "version 1: The model package holds a changed file: model.onnx: SHA-256 00", True),
        ({}, "version 1: The object store cannot be reached", False),
        ({"drill": 1}, None, False),
    ],
    ids=["by its hash", "for another reason", "loaded all the same"],
)
def test_a_damaged_package_must_be_refused_by_its_hash(
    serves: dict[str, int], why: str | None, held: bool, telling: Telling
) -> None:
    not_loaded = {"drill": why} if why else {}
    readiness = {"ready": not not_loaded, "replica": "serving_1", "serves": serves, "not_loaded": not_loaded}
    corrupt_model.tell_not_ready(telling, readiness, "drill")
    assert telling.held == held


@pytest.mark.parametrize(("now", "held"), [(BEFORE, True), (BEFORE | {"two": [0.25, 0.5000001]}, False), ({}, False)])
def test_one_other_answer_is_told(now: dict[str, list[float]], held: bool, telling: Telling) -> None:
    corrupt_model.tell_same(telling, BEFORE, now, "as before")
    assert telling.held == held


@pytest.mark.parametrize(("count", "held"), [(0, True), (1, False)])
def test_a_message_that_stands_twice_is_told(count: int, held: bool, telling: Telling) -> None:
    live.tell_repeated(telling, count)
    assert telling.held == held


WAY_OUT = "none: `millrace resnapshot p` if the connector runs"


@pytest.mark.parametrize(
    ("report", "slot", "held"),
    [(WAY_OUT, WAY_OUT, True), ("FAILED", WAY_OUT, False), (WAY_OUT, "none", False)],
)
def test_a_lost_slot_must_be_told_twice_with_the_way_out(report: str, slot: str, held: bool, telling: Telling) -> None:
    lost_slot.tell_told(telling, "p", report, slot)
    assert telling.held == held


UNREAD = {"path": "p.public.t-0", "row_number": 7, "reasons": ["message:malformed"], "raw": "AP/+"}
BROKEN = {"row_key": '["V1"]', "reasons": ["range:Age"]}


@pytest.mark.parametrize(
    ("poison", "broken", "value", "held"),
    [
        (UNREAD, BROKEN, poison_message.POISON, True),
        (UNREAD | {"raw": None}, BROKEN, poison_message.POISON, False),
        (UNREAD, BROKEN, b"other", False),
        (UNREAD, BROKEN, None, False),
        (UNREAD, BROKEN | {"reasons": ["message:malformed"]}, poison_message.POISON, False),
    ],
    ids=["both", "without its text", "other bytes", "no bytes", "the row was not read"],
)
def test_a_message_and_a_row_must_both_be_in_quarantine(
    poison: dict[str, Any], broken: dict[str, Any], value: bytes | None, held: bool, telling: Telling
) -> None:
    poison_message.tell_quarantined(telling, poison, broken, value)
    assert telling.held == held


@pytest.mark.parametrize(
    ("gold", "warehouse", "held"),
    [({"new"}, {"new"}, True), ({"new", "old"}, {"new"}, False), ({"new"}, set(), False)],
    ids=["the new key", "the old one, too", "none"],
)
def test_a_row_must_be_where_its_key_is(gold: set[str], warehouse: set[str], held: bool, telling: Telling) -> None:
    key_change.tell_keys(telling, gold, warehouse, gone={"old"}, there={"new"})
    assert telling.held == held
