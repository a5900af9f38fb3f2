"""A table of a real database becomes a file that is drafted from; what cannot be read is told without a secret."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from millrace.adapters.postgres_table import copy_out
from millrace.contract.errors import MillraceError
from millrace.settings import get_settings
from millrace.steps.draft_problem import draft_problem

pytestmark = pytest.mark.stack


@pytest.fixture
def database() -> str:
    return get_settings().postgres_dsn("warehouse")


@pytest.fixture
def table(database: str) -> Iterator[str]:
    """Orders in a schema of their own."""
    schema = sql.Identifier(f"t_{uuid.uuid4().hex[:8]}")
    with psycopg.connect(database) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(
            sql.SQL(
                """
                CREATE TABLE {}."Some Orders" AS
                SELECT n AS id, timestamptz '2026-01-01 00:00+02' + n * interval '1 hour' AS ordered_at,
                       timestamp '2026-02-01' + n * interval '1 second' AS sent_at, n % 3 = 0 AS returned,
                       CASE WHEN n % 7 > 0 THEN n / 7.0 END AS basket, E'a "word",\nand more' AS note
                FROM generate_series(1, 500) n
                """
            ).format(schema)
        )
    yield f"{schema.as_string().strip(chr(34))}.Some Orders"
    with psycopg.connect(database) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))


def test_a_table_is_drafted_as_a_file_of_it_would_be(database: str, table: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    copy_out(database, table, file)
    report, output = tmp_path / "orders.html", tmp_path / "orders.yaml"
    drafted = draft_problem(file, label="returned", name="orders", output=output, report=report, force=False)
    source = drafted.problem.source
    types = {name: column.type for name, column in source.columns.items()}
    assert drafted.total_rows == 500
    assert (source.primary_key, source.event_timestamp) == (("id",), "ordered_at")
    assert (types["ordered_at"], types["sent_at"], types["returned"]) == ("timestamp", "timestamp", "boolean")
    assert (types["basket"], source.columns["basket"].nullable) == ("number", True)


def test_a_table_that_is_not_there_is_told_with_those_that_are(database: str, table: str, tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match="no such table") as refused:
        copy_out(database, table + "x", tmp_path / "orders.csv")
    assert "there are: " in refused.value.found
    assert not (tmp_path / "orders.csv").exists()


def test_a_database_that_does_not_answer_is_told_without_the_password(tmp_path: Path, database: str) -> None:
    wrong = make_conninfo(database, password="hunter2-and-more")
    with pytest.raises(MillraceError, match="cannot be copied") as refused:
        copy_out(wrong, "orders", tmp_path / "orders.csv")
    assert "hunter2" not in str(refused.value)
    assert "password" in refused.value.found


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://ann:hunter2@db/shop",
        "ann:hunter2@db/shop",
        "postgresql://ann:%hunter2@db/shop",
        "postgresql://ann:x@hunter2@db/shop",
        "postgresql://ann:hunter2/x@db/shop",
        "password=my hunter2",
        "no address",
    ],
)
def test_an_address_that_is_none_is_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match="address of the database") as refused:
        copy_out(address, "orders", tmp_path / "orders.csv")
    assert "hunter2" not in str(refused.value)


def test_a_copy_that_ends_half_way_leaves_the_earlier_one(database: str, table: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    copy_out(database, table, file)
    before = file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    schema, name = table.split(".")
    with psycopg.connect(database) as connection:
        endless = sql.SQL("CREATE VIEW {}.broken AS SELECT 1 / (id - 400) AS n FROM {}.{}")
        connection.execute(endless.format(*map(sql.Identifier, (schema, schema, name))))
    with pytest.raises(MillraceError, match="cannot be copied") as refused:
        copy_out(database, f"{schema}.broken", file)
    assert "division by zero" in refused.value.found
    assert (file.read_bytes(), sorted(tmp_path.iterdir())) == (before, [file])
