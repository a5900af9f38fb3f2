"""Plays an application on the source database, whatever happens to that, and compares what it did with silver."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from millrace.adapters import lake, source_database
from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.domain.row_keys import row_key
from millrace.settings import get_settings
from millrace.simulation.application import Application
from millrace.simulation.pace import Pace
from millrace.simulation.world import Statement

ROLE = "application"
AGAIN_SECONDS = 0.5
"""Between two tries to reach a database that is away."""


class Played:
    """An application at work, and what came of it. `done` counts rows by what was done to them."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.problem, self.world = application.problem, application.world
        self.transactions = 0
        self.done: Counter[str] = Counter()
        self._pending: tuple[list[Statement], str] | None = None

    def play(
        self,
        *,
        rate: float,
        until: Callable[[], bool],
        patience_seconds: float = 60,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        """Commit rows until told to end. A database that is away is waited for.

        Args:
            rate: Rows a second, on the average.
            until: Asked before each transaction whether it is enough.
            patience_seconds: How long a database may be away.
            tell: Called after each transaction.

        Raises:
            MillraceError: If the database is away for longer, or has no such table.
        """
        away_since: float | None = None
        pace = Pace(rate)
        while self._pending is not None or not until():
            try:
                with psycopg.connect(get_settings().source_dsn(ROLE), connect_timeout=5) as connection:
                    self._settle(connection)
                    away_since = None
                    while not until():
                        if pace.is_due():
                            statements = self.application.next_transaction()
                            pace.rows += len(statements)
                            self._commit(connection, statements)
                            tell()
            except psycopg.errors.UndefinedTable as error:
                raise source_database.no_table(str(self.problem.change_table), ROLE, error) from error
            except psycopg.OperationalError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > patience_seconds:
                    raise source_database.away(error) from error
                time.sleep(AGAIN_SECONDS)

    def play_rows(self, rows: int, *, rate: float) -> None:
        """Commit so many rows more, or the few more that the last transaction has; see `play`."""
        enough = self.done.total() + rows
        self.play(rate=rate, until=lambda: self.done.total() >= enough)

    def load(self, statements: list[Statement]) -> None:
        """Commit statements in one transaction.

        Raises:
            MillraceError: If the database does not answer, or has no such table.
        """
        try:
            with source_database.connection(ROLE) as connection:
                self._commit(connection, statements)
        except psycopg.errors.UndefinedTable as error:
            raise source_database.no_table(str(self.problem.change_table), ROLE, error) from error

    def _commit(self, connection: psycopg.Connection, statements: list[Statement]) -> None:
        for statement in statements:
            query, values = _query(str(self.problem.change_table), statement, self.problem)
            connection.execute(query, values)
        [[number]] = connection.execute("SELECT pg_current_xact_id()::text").fetchall()
        self._pending = (statements, str(number))
        connection.commit()
        self._committed(statements)

    def _settle(self, connection: psycopg.Connection) -> None:
        """Find out whether the transaction was committed whose end nobody heard, if there is one."""
        while self._pending is not None:
            statements, number = self._pending
            try:
                [[status]] = connection.execute("SELECT pg_xact_status(%s::text::xid8)", [number]).fetchall()
            except psycopg.errors.InvalidParameterValue:
                status = "aborted"  # a database that crashed does not know the number, for nothing of it was kept
            connection.rollback()
            if status == "committed":
                self._committed(statements)
            elif status == "in progress":
                time.sleep(AGAIN_SECONDS)
            else:
                self._pending = None

    def _committed(self, statements: list[Statement]) -> None:
        self._pending = None
        for statement in statements:
            self.world.apply(statement)
            self.done[statement.kind] += 1
        self.transactions += 1

    def differences(self) -> list[str]:
        """In words, how silver differs from what the application did to its rows; other rows are not looked at."""
        table, source = names.silver(self.problem.source_name), self.problem.source
        columns = tuple(dict.fromkeys(("row_key", "event_timestamp", *source.columns, "deleted")))
        if not lake.table_exists(table):
            return [f"there is no table {table}"]
        known = {row_key(self.problem.source, key) for key in self.world.known}
        held = {row["row_key"]: row for row in lake.read(table, columns=columns).to_pylist() if not row["deleted"]}
        wanted = self.world.silver()
        found = [f"{key} is missing" for key in wanted.keys() - held.keys()]
        found += [f"{key} is there, and must not be" for key in (held.keys() & known) - wanted.keys()]
        for key in wanted.keys() & held.keys():
            found += [
                f"{key}: {name} is {held[key][name]!r}, and must be {value!r}"
                for name, value in wanted[key].items()
                if held[key][name] != value
            ]
        return sorted(found)


def play(problem: Problem, *, seed: int) -> Played:
    """An application that has not done anything yet."""
    return Played(Application(problem, seed=seed))


def drop_table(problem: Problem) -> None:
    """The application gives its table up.

    Raises:
        MillraceError: If the database does not answer.
    """
    with source_database.connection(ROLE) as connection:
        named = sql.Identifier(*str(problem.change_table).split("."))
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(named))


def _query(table: str, statement: Statement, problem: Problem) -> tuple[sql.Composed, list[Any]]:
    named = sql.Identifier(*table.split("."))
    keys = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(n)) for n in problem.source.primary_key)
    if statement.values is None:
        assert statement.key is not None
        return sql.SQL("DELETE FROM {} WHERE {}").format(named, keys), [*statement.key]
    columns, values = [*statement.values], [*statement.values.values()]
    if statement.key is None:
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        places: LiteralString = ", ".join(["%s"] * len(columns))
        return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(named, listed, sql.SQL(places)), values
    assigned = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
    return sql.SQL("UPDATE {} SET {} WHERE {}").format(named, assigned, keys), [*values, *statement.key]
