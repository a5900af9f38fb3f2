"""The champions in force: looked up once in a while, loaded aside, checked, then swapped in whole or not at all."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from millrace.adapters.champions import Champion
from millrace.adapters.reigns import Reign
from millrace.contract.errors import MillraceError
from millrace.domain.package import REFERENCE, Package
from millrace.domain.scoring import Scorer
from millrace.domain.training_range import Look, compile_look
from millrace.domain.verification import verified_package
from serving.package_cache import Entry
from serving.replica_cache import ReplicaCache
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


def load(champion: Champion, files: Mapping[str, bytes], warm_up: Callable[[InForce], None]) -> InForce:
    """Check the files of a champion's package and prepare it for requests.

    Raises:
        MillraceError: If they are not the package that was registered, or it does not answer its own golden rows.
    """
    package = verified_package(files, champion.content_hash)
    loaded = InForce(
        champion,
        package,
        Scorer(package),
        request_model(package.problem),
        compile_look(json.loads(package.files[REFERENCE])),
        datetime.now(UTC),
    )
    warm_up(loaded)
    return loaded


def _same(served: Champion, champion: Champion) -> bool:
    # The content, too: a database that was restored may count the same generations once more.
    return (served.generation, served.content_hash) == (champion.generation, champion.content_hash)


def _in_words(error: Exception) -> str:
    return f"{error.problem}: {error.place}: {error.found}" if isinstance(error, MillraceError) else repr(error)


class Watch:
    """What this replica serves. Requests read `in_force`, a mapping that is replaced and never changed.

    Whatever fails here (no database, no object store, a damaged package) leaves in force what is in force. Where
    nothing is, what the cache remembers comes in, until the database's word can be followed.
    """

    def __init__(
        self,
        replica: str,
        *,
        champions: Callable[[], list[Champion]],
        fetch: Callable[[str], dict[str, bytes]],
        report: Reporting,
        history: Callable[[str], list[Reign]],
        warm_up: Callable[[InForce], None],
        cache: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.replica = replica
        self.in_force: Mapping[str, InForce] = {}
        self.behind: Mapping[str, Behind] = {}
        self.from_cache: Mapping[str, datetime] = {}
        """Problems whose champion is the one that the cache remembers, not the database's word, and since when it is
        remembered."""
        self.histories: Mapping[str, Sequence[Reign]] = {}
        """The champions that each problem had, as of its last move that was seen."""
        self.looked = False
        self.trouble: str | None = None
        """Why the last look failed, None if it did not."""
        self.cache = ReplicaCache(cache, clock)
        self._champions, self._fetch, self._report, self._clock = champions, fetch, report, clock
        self._history, self._warm_up = history, warm_up
        self._histories_of: dict[str, int] = {}
        self._reported: dict[str, tuple[object, float]] = {}

    def look(self) -> None:
        """See which champions there are, load those that changed, report what is served."""
        try:
            known = {champion.problem: champion for champion in self._champions()}
        except MillraceError as error:
            self._note_trouble(f"{error.problem}: {error.found}")
            self._bring_in_remembered(self.cache.remembered())
            return
        self.in_force = {name: served for name, served in self.in_force.items() if name in known}
        self.behind = {name: late for name, late in self.behind.items() if name in known}
        self.from_cache = {name: since for name, since in self.from_cache.items() if name in known}
        for champion in known.values():
            self._bring_in(champion)
        if missing := self.behind.keys() - self.in_force.keys():
            self._bring_in_remembered(one for one in self.cache.remembered() if one.champion.problem in missing)
        followed = [served for name, served in self.in_force.items() if name not in self.from_cache]
        self.cache.keep([(served.champion, served.package) for served in followed], known)
        self.looked = True
        try:
            for champion in known.values():
                self._tell(champion.problem)
                self._remember_history(champion)
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
        if served is not None and _same(served.champion, champion):
            self._note_confirmed(champion.problem)
            return
        attempts = late.attempts if late is not None and late.champion.generation == champion.generation else 0
        if attempts and late is not None and self._clock() < late.retry_at:
            return
        try:
            loaded = self._loaded(champion)
        except Exception as error:  # noqa: BLE001 -- whatever a package does, the one in force stays
            why = _in_words(error)
            wait = min(2.0**attempts, LONGEST_RETRY_SECONDS)
            self.behind = {
                **self.behind,
                champion.problem: Behind(champion, why, attempts + 1, self._clock() + wait),
            }
            logger.warning("%s version %d is not served: %s", champion.problem, champion.version, why)
            return
        self.in_force = {**self.in_force, champion.problem: loaded}
        self._note_confirmed(champion.problem)
        logger.info(
            "%s version %d is in force (generation %d)", champion.problem, champion.version, champion.generation
        )

    def _loaded(self, champion: Champion) -> InForce:
        """From the cache where it is kept whole, so that going back takes no store; otherwise from the store."""
        if (kept := self._from_cache(champion)) is not None:
            return kept
        return load(champion, self._fetch(champion.uri), self._warm_up)

    def _from_cache(self, champion: Champion) -> InForce | None:
        files = self.cache.files(champion)
        try:
            return load(champion, files, self._warm_up) if files is not None else None
        except Exception as error:  # noqa: BLE001 -- as above: whatever it does, it is not served
            self.cache.refuse(champion, _in_words(error))
            return None

    def _bring_in_remembered(self, entries: Iterable[Entry]) -> None:
        """Where nothing is in force, what the cache remembers, checked as if it came from the store."""
        for entry in entries:
            champion = entry.champion
            if champion.problem in self.in_force or (kept := self._from_cache(champion)) is None:
                continue
            self.in_force = {**self.in_force, champion.problem: kept}
            self.from_cache = {**self.from_cache, champion.problem: entry.saved_at}
            logger.warning(
                "%s version %d is in force from the local cache, as known since %s",
                champion.problem,
                champion.version,
                entry.saved_at.isoformat(timespec="seconds"),
            )

    def _note_confirmed(self, problem: str) -> None:
        if problem in self.from_cache:
            logger.info("%s: the database answers, and its champion is followed again", problem)
        self.from_cache = {name: since for name, since in self.from_cache.items() if name != problem}
        self.behind = {name: one for name, one in self.behind.items() if name != problem}

    def _remember_history(self, champion: Champion) -> None:
        if self._histories_of.get(champion.problem) != champion.generation:
            self.histories = {**self.histories, champion.problem: self._history(champion.problem)}
            self._histories_of[champion.problem] = champion.generation

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
