"""Looks again and again: does every problem with a section `changes` have its table, its topic and its connector, and
every one with a section `topic` that topic, every one with a section `extract` its table, and the warehouse its
publication and connector?

A process of its own, because a problem file may come at any time, a source database may be restored, and a task may
fail while nobody runs `make up`.
"""

import json
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import psycopg
from confluent_kafka import KafkaException

from infra.connectors import registration, requests, source_tables, topics, warehouse_tables
from infra.connectors.rendering import render, render_warehouse
from infra.files import write_private
from infra.services import postgres_server, source_database
from millrace.contract.changes import POSITION_GONE
from millrace.contract.errors import MillraceError
from millrace.contract.loading import load_problems
from millrace.contract.names import IDENTIFIER, WAREHOUSE
from millrace.contract.problem import Problem
from millrace.settings import Settings


def keep(settings: Settings) -> None:
    """Never returns. What it does is told on standard output, what is missing in the report."""
    keeper = Keeper(settings)
    while True:
        keeper.look()
        time.sleep(settings.connectors_look_seconds)


class Keeper:
    """What is remembered from one look to the next."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.made: dict[str, tuple[str, Problem]] = {}
        self.made_warehouse = False
        self.failed: set[str] = set()
        self.told: dict[str, str] = {}

    def look(self) -> None:
        """One look at every problem; an error in one keeps none of the others from theirs."""
        valid, _ = load_problems(self.settings.problems_dir)
        followed = [problem for problem in valid.values() if problem.change_table]
        extracted = [problem for problem in valid.values() if problem.extract_table]
        # One that went and comes again is made again.
        self.made = {name: made for name, made in self.made.items() if name in valid}
        missing = self._topics_of_producers(valid.values())
        try:
            server = source_database.SERVER
            with postgres_server.connect(server, self.settings, source_database.DATABASE) as connection:
                if not self.made:
                    # Also where they are: they may be those of an earlier version.
                    source_tables.make_room(connection)
                    source_tables.make_reader(connection, self.settings.source_extract_password.get_secret_value())
                epoch = source_tables.epoch_of(connection)
                for problem in followed:
                    if words := self._look_at(problem, epoch, connection):
                        missing[problem.problem] = words
                for problem in extracted:
                    if words := self._look_at_extracted(problem, epoch, connection):
                        missing[problem.problem] = words
                missing |= self._forget(connection)
        except psycopg.Error as error:
            missing["source database"] = str(error).strip()
        if words := self._look_at_warehouse():
            missing[WAREHOUSE] = words
        self._tell(missing)
        write_private(report_file(self.settings), json.dumps(missing))

    def _topics_of_producers(self, problems: Iterable[Problem]) -> dict[str, str]:
        """Makes those that are not there; in words which could not be. No database is asked."""
        missing: dict[str, str] = {}
        for problem in problems:
            if (topic := problem.source.topic) is None or topic.brings_changes:
                continue
            try:
                made = topics.ensure_topic(
                    topic.name, self.settings, partitions=topic.partitions, configuration=topics.OF_PRODUCERS
                )
            except MillraceError as error:
                missing[problem.problem] = f"{error.problem}: {error.found}"
            else:
                if made:
                    print(f"{problem.problem}: topic {topic.name} is made", flush=True)
        return missing

    def _look_at(self, problem: Problem, epoch: str, connection: psycopg.Connection) -> str | None:
        name = problem.problem
        try:
            # By its epoch, too: a database that was restored may know nothing of what was made before.
            if self.made.get(name) != (epoch, problem):
                source_tables.follow(connection, problem)
                self.made[name] = (epoch, problem)
            topics.ensure_topic(str(problem.change_topic), self.settings)
            self._register(name, partial(render, problem, self.settings), epoch, connection)
            if source_tables.slot_is_lost(connection, name):
                # No restart helps, and to begin anew by itself would hide that deletions were missed.
                return (
                    f"its slot is lost, with log that was not read: `millrace resnapshot {name}` reads every row anew"
                )
            return self._heal(name)
        except MillraceError as error:
            return f"{error.problem}: {error.found}"
        except (psycopg.Error, KafkaException) as error:
            return str(error).strip()

    def _look_at_extracted(self, problem: Problem, epoch: str, connection: psycopg.Connection) -> str | None:
        name = problem.problem
        try:
            if self.made.get(name) != (epoch, problem):
                if source_tables.make_extracted(connection, problem):
                    print(f"{name}: table {problem.extract_table} was not there, and is made, empty", flush=True)
                self.made[name] = (epoch, problem)
        except psycopg.Error as error:
            return str(error).strip()
        return None

    def _look_at_warehouse(self) -> str | None:
        """The same of the serving tables. It begins anew by itself, also where what was not read is gone: who reads its
        topics knows by the epoch that rows which do not come again are no more, and nobody else would ask."""
        try:
            with warehouse_tables.connect(self.settings) as connection:
                if not self.made_warehouse:
                    warehouse_tables.make_room(connection, self.settings)
                    self.made_warehouse = True
                epoch = source_tables.epoch_of(connection)
                warehouse_tables.follow(connection)
                lost = source_tables.slot_is_lost(connection, WAREHOUSE)
                gone = self._position_is_gone(WAREHOUSE)
                why = "its slot is lost" if lost else "its position is gone" if gone else None
                self._register(WAREHOUSE, partial(render_warehouse, self.settings), epoch, connection, why=why)
                return self._heal(WAREHOUSE)
        except MillraceError as error:
            return f"{error.problem}: {error.found}"
        except psycopg.Error as error:
            # It may be another one when it is back: restored, it may know nothing of what was made before.
            self.made_warehouse = False
            return str(error).strip()

    def _position_is_gone(self, name: str) -> bool:
        words = registration.in_words(registration.state(name, self.settings))
        return words is not None and POSITION_GONE in words

    def _register(
        self,
        name: str,
        wanted: registration.Render,
        epoch: str,
        connection: psycopg.Connection,
        *,
        why: str | None = None,
    ) -> str:
        """As it is to be, or anew where it must be or somebody asks for it; in words what was done, which is told.

        Args:
            why: In words, why it must begin anew though neither Connect nor the epoch tells so.
        """
        found = registration.registered(name, self.settings)
        asked = requests.waiting(connection, name)
        why = "it was asked for" if asked else registration.why_anew(wanted, epoch, found) or why
        if why is None:
            assert found is not None
            done = registration.register(name, wanted, found, self.settings)
        else:
            # Killed before the answer, it is done once more, which reads every row once more and is wrong in nothing.
            asked = asked or [requests.ask_anew(connection, name)]
            done = registration.begin_anew(name, wanted, epoch, connection, self.settings, why=why, now=time.time())
            requests.answer(connection, asked, done)
        if done:
            print(f"{name}: {done}", flush=True)
            self.failed.discard(name)
        return done

    def _forget(self, connection: psycopg.Connection) -> dict[str, str]:
        """What is asked to be forgotten and has no file any more; in words what of it could not be."""
        missing: dict[str, str] = {}
        for name, asked in requests.to_forget(connection).items():
            if name == WAREHOUSE or not IDENTIFIER.fullmatch(name):
                requests.answer(connection, asked, "no name of a problem")
            elif not (self.settings.problems_dir / f"{name}.yaml").exists():
                try:
                    requests.answer(connection, asked, done := registration.forget(name, connection, self.settings))
                    print(f"{name}: {done}", flush=True)
                except MillraceError as error:
                    missing[name] = f"{error.problem}: {error.found}"
                except psycopg.Error as error:
                    missing[name] = str(error).strip()
        return missing

    def _heal(self, name: str) -> str | None:
        """Restarts what is seen as failed twice: just after a restart Connect still tells the state of before."""
        status = registration.state(name, self.settings)
        words = registration.in_words(status)
        if words and POSITION_GONE in words:
            # As a lost slot: somebody dropped it.
            return f"{words} `millrace resnapshot {name}` reads every row anew"
        if not registration.failed(status):
            self.failed.discard(name)
        elif name in self.failed:
            print(f"{name}: restarted, {words}", flush=True)
            registration.restart_failed(name, self.settings)
            self.failed.discard(name)
        else:
            self.failed.add(name)
        return words

    def _tell(self, missing: dict[str, str]) -> None:
        """What is missing, once and not at every look."""
        for name, words in missing.items():
            if self.told.get(name) != words:
                print(f"{name}: {words}", flush=True)
        self.told = missing


def report_file(settings: Settings) -> Path:
    folder = registration.folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "missing.json"
