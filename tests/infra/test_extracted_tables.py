"""What extracting needs in the source database: a role that may read the table, and do nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import yaml

from infra.connectors import source_tables
from infra.services import postgres_server, source_database
from millrace.contract.problem import Problem
from tests.infra import small_stack
from tests.infra.orders import ORDERS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]
TABLE = "crm.orders"


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[None]:
    with small_stack.fresh():
        small_stack.up("source_database")
        yield


@contextmanager
def connection(role: str = "postgres") -> Iterator[psycopg.Connection]:
    settings = small_stack.settings()
    if role == "postgres":
        with postgres_server.connect(source_database.SERVER, settings, source_database.DATABASE) as connected:
            yield connected
    else:
        with psycopg.connect(settings.source_dsn(role), autocommit=True) as connected:
            yield connected


def orders(table: str = TABLE) -> Problem:
    content = yaml.safe_load(ORDERS)
    [source] = content["sources"].values()
    source.pop("changes", None)
    time = source["event_timestamp"]
    source |= {"format": "parquet", "extract": {"table": table, "watermark": time}}
    return Problem.model_validate(content)


def indexes(table: str) -> list[str]:
    with connection() as ours:
        query = "SELECT indexdef FROM pg_indexes WHERE schemaname || '.' || tablename = %s"
        return [str(row[0]) for row in ours.execute(query, [table])]


def test_the_table_is_made_with_an_index_on_its_watermark_and_may_only_be_read() -> None:
    problem = orders()
    with connection() as ours:
        source_tables.make_extracted(ours, problem)
        source_tables.make_extracted(ours, problem)
        ours.execute("CREATE TABLE crm.secrets (id int)")
        [[identity]] = ours.execute("SELECT relreplident::text FROM pg_class WHERE oid = %s::regclass", [TABLE])
        assert identity == "d"
    # Of the key, and of the watermark.
    assert len(indexes(TABLE)) == 2
    assert any(f"({problem.source.event_timestamp})" in one for one in indexes(TABLE))
    with connection("extract") as reader:
        assert reader.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(0,)]
        for forbidden in (
            f"DELETE FROM {TABLE}",
            f"INSERT INTO {TABLE} DEFAULT VALUES",
            "SELECT * FROM crm.secrets",
            "CREATE TABLE crm.mine (id int)",
            "CREATE TABLE public.mine (id int)",
            "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden)


def test_a_table_or_view_that_is_there_gets_nothing_but_the_right_to_read_it() -> None:
    # Its owner took a column away: made anew, and empty, it would hide that.
    kept = list(orders("crm.there").source.columns)[:-1]
    columns = ", ".join(f'"{name}" text' for name in kept)
    with connection() as ours:
        ours.execute(f"CREATE TABLE crm.there ({columns}); ALTER TABLE crm.there OWNER TO application")
        ours.execute("CREATE VIEW crm.seen AS SELECT 1 AS one")
        for table in ("crm.there", "crm.seen"):
            assert not source_tables.make_extracted(ours, orders(table))
    assert indexes("crm.there") == []
    with connection("extract") as reader:
        found = reader.execute("SELECT * FROM crm.there")
        assert [column.name for column in found.description or ()] == kept
        assert reader.execute("SELECT * FROM crm.seen").fetchall() == [(1,)]


def test_a_database_from_before_the_role_gets_it() -> None:
    password = small_stack.settings().source_extract_password.get_secret_value()
    with connection() as ours:
        ours.execute("DROP OWNED BY extract; DROP ROLE extract")
        source_tables.make_reader(ours, password)
        source_tables.make_reader(ours, password)
        source_tables.make_extracted(ours, orders())
    with connection("extract") as reader:
        assert reader.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(0,)]
