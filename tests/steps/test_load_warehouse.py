"""Gold to the serving table: it holds what gold holds, whatever came before, and never goes back."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from millrace.adapters import lake, warehouse
from millrace.contract import names
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.steps.derived_tables import gold_schema
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.pending import pending_transform
from tests.steps.small_problem import COLUMNS, small, small_problem

pytestmark = pytest.mark.stack

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def problem() -> Iterator[Problem]:
    with small_problem() as problem:
        yield problem


def row(key: str, seq: int, **more: Any) -> dict[str, Any]:
    told = {"Size": 1.5, "kind": "a", "done": True, "label": 1, **more}
    return {"row_key": key, "event_timestamp": AT, "gold_seq": seq, **told}


def publish(problem: Problem, seq: int, *rows: dict[str, Any], without: str = "") -> int:
    """Publish gold with these rows added, and those that a filter finds taken away."""
    table = names.gold(problem.problem)
    lake.ensure_table(table, gold_schema(problem))
    loaded = lake.catalog().load_table(table)
    properties = {"millrace.gold-seq": str(seq)}
    if without:
        loaded.delete(without, snapshot_properties=properties)
    loaded.append(pa.Table.from_pylist(list(rows), loaded.schema().as_arrow()), snapshot_properties=properties)
    head = lake.head(table)
    assert head is not None
    return head.snapshot_id


def served(problem: Problem) -> dict[str, dict[str, Any]]:
    with warehouse.connect() as connection:
        cursor = connection.execute(f"SELECT * FROM warehouse.serving_{problem.problem}")
        columns = [column.name for column in cursor.description or ()]
        found = [dict(zip(columns, values, strict=True)) for values in cursor]
    return {each["row_key"]: each for each in found}


def test_every_value_arrives_as_its_type_with_the_snapshot_it_comes_from(problem: Problem) -> None:
    snapshot_id = publish(problem, 1, row("k1", 1), row("k2", 1, kind=None, label=None, done=False))
    told = load_warehouse(problem)
    assert told == {
        "table": f"warehouse.serving_{problem.problem}",
        "outcome": "loaded",
        "gold_snapshot_id": snapshot_id,
        "gold_seq": 1,
        "upserted": 2,
        "deleted": 0,
        "rows": 2,
    }
    one, two = served(problem)["k1"], served(problem)["k2"]
    assert one.pop("loaded_at") > AT
    assert one == {**row("k1", 1), "gold_snapshot_id": snapshot_id}
    assert (two["kind"], two["label"], two["done"]) == (None, None, False)
    assert warehouse.serving_row(problem.problem, "k2") == two
    assert warehouse.serving_row(problem.problem, "k3") is None
    assert warehouse.serving_row("never_loaded", "k1") is None


def test_only_what_changed_is_written_and_what_gold_lost_goes(problem: Problem) -> None:
    first = publish(problem, 1, row("stays", 1), row("changes", 1), row("goes", 1))
    load_warehouse(problem)
    second = publish(problem, 2, row("changes", 2, Size=9.0), row("comes", 2), without="row_key IN ('changes','goes')")
    told = load_warehouse(problem)
    assert (told["upserted"], told["deleted"], told["rows"]) == (2, 1, 3)
    found = served(problem)
    assert {key: (each["Size"], each["gold_snapshot_id"]) for key, each in found.items()} == {
        "stays": (1.5, first),
        "changes": (9.0, second),
        "comes": (1.5, second),
    }


def test_a_row_that_has_its_values_already_is_not_written_and_keeps_its_number(problem: Problem) -> None:
    """Gold that was built anew gives every row another number: whoever follows the table sees nothing of it."""
    first = publish(problem, 1, row("same", 1, kind=None), row("other", 1))
    load_warehouse(problem)
    before = served(problem)
    second = publish(problem, 2, row("same", 2, kind=None), row("other", 2, label=None), without="gold_seq = 1")
    told = load_warehouse(problem)
    assert (told["outcome"], told["upserted"], told["deleted"]) == ("loaded", 1, 0)
    assert pending_transform(problem) is None
    found = served(problem)
    assert found["same"] == before["same"]
    assert {key: (each["gold_seq"], each["gold_snapshot_id"]) for key, each in found.items()} == {
        "same": (1, first),
        "other": (2, second),
    }


def test_loading_again_changes_nothing_and_a_compaction_is_no_news(problem: Problem) -> None:
    publish(problem, 1, row("k", 1))
    load_warehouse(problem)
    before = served(problem)
    assert load_warehouse(problem)["outcome"] == "current"
    lake.catalog().load_table(names.gold(problem.problem)).append(
        gold_schema(problem).as_arrow().empty_table()  # as maintenance does: a snapshot without our properties
    )
    assert pending_transform(problem) is None
    assert load_warehouse(problem)["outcome"] == "current"
    assert served(problem) == before


def test_a_load_that_comes_late_does_not_bring_the_old_back(problem: Problem) -> None:
    publish(problem, 7, row("k", 7, kind="new"))
    load_warehouse(problem)
    with warehouse.connect() as connection:
        mark = warehouse.lock(connection, problem.problem)
        assert mark is not None
        # What a load of gold 8 that has overtaken this one leaves behind.
        warehouse.record(connection, problem.problem, warehouse.Loaded(mark.gold_table_uuid, 1, 8, 1))
        connection.execute(f"UPDATE warehouse.serving_{problem.problem} SET kind = 'newest'")
    assert load_warehouse(problem)["outcome"] == "newer"
    assert served(problem)["k"]["kind"] == "newest"


def test_another_contract_gives_the_table_its_columns_and_all_rows_anew(problem: Problem) -> None:
    publish(problem, 1, row("k", 1), row("old", 1))
    load_warehouse(problem)
    columns = {name: kind for name, kind in COLUMNS.items() if name != "kind"}
    changed = small(problem.problem, columns | {"Size": {"type": "integer"}, "Extra": {"type": "string"}})
    lake.drop_table(names.gold(problem.problem))
    publish(changed, 1, {"row_key": "k", "gold_seq": 1, "Size": 3, "Extra": "x", "done": True})
    assert pending_transform(problem) == f"the warehouse does not hold {names.gold(problem.problem)}"
    told = load_warehouse(changed)
    assert (told["outcome"], told["deleted"]) == ("loaded", 1)
    found = served(changed)["k"]
    assert (found["Size"], found["Extra"]) == (3, "x")
    assert "kind" not in found


def test_a_reader_sees_the_whole_load_or_nothing_of_it(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(problem, 1, row("k", 1))
    load_warehouse(problem)
    publish(problem, 2, row("k2", 2))

    def die(*_: object) -> None:
        raise ConnectionError("killed before the end")

    monkeypatch.setattr(warehouse, "record", die)
    with pytest.raises(ConnectionError):
        load_warehouse(problem)
    monkeypatch.undo()
    assert served(problem).keys() == {"k"}
    assert load_warehouse(problem)["upserted"] == 1
    assert served(problem).keys() == {"k", "k2"}


def test_without_gold_it_says_what_to_do() -> None:
    with pytest.raises(MillraceError, match="no gold to load") as raised:
        load_warehouse(small(f"t_{uuid.uuid4().hex[:10]}", COLUMNS))
    assert "transform" in raised.value.fix


def test_the_level_shows_until_the_warehouse_holds_gold(problem: Problem) -> None:
    assert pending_transform(problem) is None
    publish(problem, 3, row("k", 3))
    assert pending_transform(problem) == f"the warehouse does not hold {names.gold(problem.problem)}"
    load_warehouse(problem)
    assert pending_transform(problem) is None
    publish(problem, 4, row("k2", 4))
    assert pending_transform(problem) == "the warehouse holds gold 3, which is at 4"
