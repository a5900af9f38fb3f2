"""A small world around a replica: champions and packages in memory, in place of Postgres and S3."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from uuid import UUID

from fastapi import FastAPI
from fastapi.testclient import TestClient

from millrace.adapters.champions import Champion
from millrace.adapters.prediction_store import Wanted, rows_of
from millrace.adapters.reigns import Reign
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.domain.package import content_hash
from millrace.domain.prediction_record import AnsweredRequest, as_bytes, from_bytes
from millrace.settings import ROOT
from serving.app import create_app
from serving.champion import Watch
from serving.storing import StoreState
from serving.warm_up import warm_up
from tests.domain.sample_package import sample_package
from tests.serving.a_key import BEARER, ring_of

PROBLEMS = ROOT / "include" / "problems"


@cache
def problem(name: str) -> Problem:
    return get_problem(name, PROBLEMS)


@cache
def package(
    name: str, seed: int = 1, estimator: Literal["xgboost", "logistic_regression"] = "xgboost"
) -> dict[str, bytes]:
    return sample_package(problem(name), estimator, seed=seed)


@dataclass
class Kept:
    """A store in memory: what was kept, and what a test says of it."""

    requests: list[AnsweredRequest] = field(default_factory=list)
    refuses: Exception | None = None
    trouble: str | None = None
    waiting_bytes: int = 0

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def keep(self, request: AnsweredRequest) -> None:
        if self.refuses is not None:
            raise self.refuses
        # As it comes out of the spool again.
        self.requests.append(from_bytes(as_bytes(request)))

    def state(self) -> StoreState:
        rows = sum(len(one.predictions) for one in self.requests)
        return StoreState(rows, self.waiting_bytes, 1_000, 0.0, 0, 0, self.trouble)

    def newest(self, problem: str, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
        if self.refuses is not None:
            raise self.refuses
        rows = [row for one in self.requests if one.problem == problem for row in rows_of(one)]
        before = [row for row in rows if wanted.before is None or row["id"] < wanted.before]
        return sorted(before, key=lambda row: row["id"], reverse=True)[:limit]

    def by_id(self, problem: str, wanted: UUID) -> dict[str, Any] | None:
        return next((row for row in self.newest(problem, Wanted(), 10_000) if row["id"] == wanted), None)


@dataclass
class World:
    """What the watch of a replica sees; tests change it between two looks."""

    champions: dict[str, Champion] = field(default_factory=dict)
    store: dict[str, dict[str, bytes]] = field(default_factory=dict)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """Problem and row key → what the warehouse holds of the row."""
    kept: Kept = field(default_factory=Kept)
    reports: list[tuple[str, int | None, str | None]] = field(default_factory=list)
    database_away: bool = False
    store_away: bool = False
    fetched: int = 0
    now: float = 0.0
    histories: dict[str, list[Reign]] = field(default_factory=dict)
    room: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)

    @property
    def cache(self) -> Path:
        """The replica's disk, which outlives it."""
        return Path(self.room.name) / "packages"

    def deploy(self, name: str, files: dict[str, bytes], *, version: int = 1, gold: str | None = None) -> Champion:
        old = self.champions.get(name)
        uri = f"s3://models/{name}/packages/{version}/"
        self.store[uri] = files
        generation = old.generation + 1 if old else 1
        now = datetime.now(UTC)
        before = [replace(one, until=one.until or now) for one in self.histories.get(name, [])]
        self.histories[name] = [Reign(version, generation, now, None, "test", "because"), *before]
        self.champions[name] = Champion(
            name,
            version,
            uri,
            content_hash(files),
            generation,
            old.generation if old else None,
            "test",
            "because",
            now,
            gold,
        )
        return self.champions[name]

    def watch(self) -> Watch:
        return Watch(
            "replica",
            champions=self._all,
            fetch=self._fetch,
            report=self._report,
            history=self._history,
            warm_up=warm_up,
            cache=self.cache,
            clock=lambda: self.now,
        )

    def app(self, watch: Watch, **more: Any) -> FastAPI:
        """The application of a replica that has this world outside; `more` as `create_app` takes it."""
        return create_app(watch, ring_of(), store=self.kept, read_row=self.read_row, **more)

    def client(self, watch: Watch, **more: Any) -> TestClient:
        """A client of it whose requests carry a key for everything."""
        return TestClient(self.app(watch, **more), headers=BEARER)

    def read_row(self, name: str, row_key: str) -> dict[str, Any] | None:
        if self.database_away:
            raise away("The warehouse")
        return self.rows.get((name, row_key))

    def _all(self) -> list[Champion]:
        if self.database_away:
            raise away("Postgres")
        return list(self.champions.values())

    def _fetch(self, uri: str) -> dict[str, bytes]:
        self.fetched += 1
        if self.store_away:
            raise away("MinIO")
        return self.store[uri]

    def _history(self, name: str) -> list[Reign]:
        if self.database_away:
            raise away("Postgres")
        return self.histories[name]

    def _report(self, _replica: str, name: str, **told: Any) -> None:
        self.reports.append((name, told["version"], told["error"]))


def away(what: str) -> MillraceError:
    return MillraceError(f"{what} is away", place=what, found="nobody", expected="somebody", fix="make up")
