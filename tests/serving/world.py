"""A small world around a replica: champions and packages in memory, in place of Postgres and S3."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from fastapi.testclient import TestClient

from millrace.adapters.champions import Champion
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.domain.api_keys import SCOPES, ApiKey, hashed, written
from millrace.domain.package import content_hash
from millrace.settings import ROOT
from serving.app import create_app
from serving.champion import Watch
from serving.key_ring import KeyRing
from tests.domain.sample_package import sample_package

PROBLEMS = ROOT / "include" / "problems"
SECRET = "0f" * 32
KEY = ApiKey("0123456789ab", "tester", hashed(SECRET.encode()), frozenset(SCOPES), None, None)
BEARER = {"authorization": f"Bearer {written(KEY.id, SECRET)}"}


def ring_of(*keys: ApiKey) -> KeyRing:
    """A ring that knows some keys, or the one that may do everything."""
    ring = KeyRing(lambda: list(keys or (KEY,)))
    ring.look()
    return ring


def client_of(watch: Watch, **told: Any) -> TestClient:
    """A client of a replica whose requests carry a key for everything."""
    return TestClient(create_app(watch, ring_of()), headers=BEARER, **told)


@cache
def problem(name: str) -> Problem:
    return get_problem(name, PROBLEMS)


@cache
def package(
    name: str, seed: int = 1, estimator: Literal["xgboost", "logistic_regression"] = "xgboost"
) -> dict[str, bytes]:
    return sample_package(problem(name), estimator, seed=seed)


@dataclass
class World:
    """What the watch of a replica sees; tests change it between two looks."""

    champions: dict[str, Champion] = field(default_factory=dict)
    store: dict[str, dict[str, bytes]] = field(default_factory=dict)
    reports: list[tuple[str, int | None, str | None]] = field(default_factory=list)
    database_away: bool = False
    store_away: bool = False
    fetched: int = 0
    now: float = 0.0

    def deploy(self, name: str, files: dict[str, bytes], *, version: int = 1, gold: str | None = None) -> Champion:
        old = self.champions.get(name)
        uri = f"s3://models/{name}/packages/{version}/"
        self.store[uri] = files
        generation = old.generation + 1 if old else 1
        self.champions[name] = Champion(
            name,
            version,
            uri,
            content_hash(files),
            generation,
            old.generation if old else None,
            "test",
            "because",
            datetime.now(UTC),
            gold,
        )
        return self.champions[name]

    def watch(self) -> Watch:
        return Watch("replica", champions=self._all, fetch=self._fetch, report=self._report, clock=lambda: self.now)

    def _all(self) -> list[Champion]:
        if self.database_away:
            raise away("Postgres")
        return list(self.champions.values())

    def _fetch(self, uri: str) -> dict[str, bytes]:
        self.fetched += 1
        if self.store_away:
            raise away("MinIO")
        return self.store[uri]

    def _report(self, _replica: str, name: str, **told: Any) -> None:
        self.reports.append((name, told["version"], told["error"]))


def away(what: str) -> MillraceError:
    return MillraceError(f"{what} is away", place=what, found="nobody", expected="somebody", fix="make up")
