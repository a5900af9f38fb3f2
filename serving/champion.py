"""The champions in force: looked up once in a while, loaded aside, checked, then swapped in whole or not at all."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from millrace.adapters.champions import Champion
from millrace.contract.errors import MillraceError
from millrace.domain.package import REFERENCE, Package
from millrace.domain.scoring import Scorer
from millrace.domain.training_range import Look, compile_look
from millrace.domain.verification import verified_package
from serving.request_models import RequestModel, request_model

logger = logging.getLogger("serving.champion")

LONGEST_RETRY_SECONDS = 30.0
REPEAT_REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class InForce:
    """A champion that answers: its checked package, and what was prepared from it."""

    champion: Champion
    package: Package
    scorer: Scorer
    request: RequestModel
    look: Look
    """What of a row no training row was like."""
    loaded_at: datetime


@dataclass(frozen=True)
class Behind:
    """A champion that could not be loaded, so that an older one (or none) is in force."""

    champion: Champion
    why: str
    attempts: int
    retry_at: float
    """On the clock of `time.monotonic`."""


class Reporting(Protocol):
    """`millrace.adapters.replica_reports.report`."""

    def __call__(
        self,
        replica: str,
        problem: str,
        *,
        version: int | None,
        generation: int | None,
        content_hash: str | None,
        error: str | None,
    ) -> None: ...


def load(champion: Champion, fetch: Callable[[str], dict[str, bytes]]) -> InForce:
    """Fetch and check a champion's package and prepare it for requests.

    Raises:
        MillraceError: If the package cannot be fetched, or is not the one that was registered.
    """
    package = verified_package(fetch(champion.uri), champion.content_hash)
    return InForce(
        champion,
        package,
        Scorer(package),
        request_model(package.problem),
        compile_look(json.loads(package.files[REFERENCE])),
        datetime.now(UTC),
    )


class Watch:
    """What this replica serves. Requests read `in_force`, a mapping that is replaced and never changed.

    Whatever fails here (no database, no object store, a damaged package) leaves in force what is in force.
    """

    def __init__(
        self,
        replica: str,
        *,
        champions: Callable[[], list[Champion]],
        fetch: Callable[[str], dict[str, bytes]],
        report: Reporting,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.replica = replica
        self.in_force: Mapping[str, InForce] = {}
        self.behind: Mapping[str, Behind] = {}
        self.looked = False
        self.trouble: str | None = None
        """Why the last look failed, None if it did not."""
        self._champions, self._fetch, self._report, self._clock = champions, fetch, report, clock
        self._reported: dict[str, tuple[object, float]] = {}

    def look(self) -> None:
        """See which champions there are, load those that changed, report what is served."""
        try:
            known = {champion.problem: champion for champion in self._champions()}
        except MillraceError as error:
            self._note_trouble(f"{error.problem}: {error.found}")
            return
        self.in_force = {name: served for name, served in self.in_force.items() if name in known}
        self.behind = {name: late for name, late in self.behind.items() if name in known}
        for champion in known.values():
            self._bring_in(champion)
        self.looked = True
        try:
            for champion in known.values():
                self._tell(champion.problem)
        except MillraceError as error:
            self._note_trouble(f"{error.problem}: {error.found}")
            return
        self.trouble = None

    def run(self, stop: threading.Event, every_seconds: float) -> None:
        """Look again and again until stopped."""
        while not stop.is_set():
            try:
                self.look()
            except Exception as error:  # A replica whose watch has died would serve old models for ever.
                logger.exception("the look at the champions failed")
                self._note_trouble(f"unexpected: {type(error).__name__}")
            stop.wait(every_seconds)

    def _bring_in(self, champion: Champion) -> None:
        served, late = self.in_force.get(champion.problem), self.behind.get(champion.problem)
        if served is not None and served.champion.generation == champion.generation:
            return
        attempts = late.attempts if late is not None and late.champion.generation == champion.generation else 0
        if attempts and late is not None and self._clock() < late.retry_at:
            return
        try:
            loaded = load(champion, self._fetch)
        except Exception as error:  # noqa: BLE001 -- whatever a package does, the one in force stays
            why = f"{error.problem}: {error.place}: {error.found}" if isinstance(error, MillraceError) else repr(error)
            wait = min(2.0**attempts, LONGEST_RETRY_SECONDS)
            self.behind = {
                **self.behind,
                champion.problem: Behind(champion, why, attempts + 1, self._clock() + wait),
            }
            logger.warning("%s version %d is not served: %s", champion.problem, champion.version, why)
            return
        self.in_force = {**self.in_force, champion.problem: loaded}
        self.behind = {name: one for name, one in self.behind.items() if name != champion.problem}
        logger.info(
            "%s version %d is in force (generation %d)", champion.problem, champion.version, champion.generation
        )

    def _tell(self, problem: str) -> None:
        served, late = self.in_force.get(problem), self.behind.get(problem)
        champion = served.champion if served else None
        told = (champion.generation if champion else None, late.why if late else None)
        before, at = self._reported.get(problem, (None, 0.0))
        if told == before and self._clock() < at + REPEAT_REPORT_SECONDS:
            return
        self._report(
            self.replica,
            problem,
            version=champion.version if champion else None,
            generation=champion.generation if champion else None,
            content_hash=champion.content_hash if champion else None,
            error=f"version {late.champion.version}: {late.why}" if late else None,
        )
        self._reported[problem] = (told, self._clock())

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("the champions cannot be looked up: %s", trouble)
        self.trouble = trouble
