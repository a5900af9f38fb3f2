"""The cache of packages as a replica uses it: a disk that fails, or what it damaged, is told and stops nothing."""

import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from millrace.adapters.champions import Champion
from millrace.contract.errors import MillraceError
from millrace.domain.package import Package
from serving import package_cache
from serving.package_cache import Entry

logger = logging.getLogger("serving.cache")

RETRY_SECONDS = 30.0


class ReplicaCache:
    """One replica's folder, which no other process writes to."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.trouble: str | None = None
        """Why what is in force is not kept on the disk, None if it is."""
        self._folder, self._clock = folder, clock
        self._saved: dict[str, Champion] = {}
        self._retry_at = 0.0

    def remembered(self) -> list[Entry]:
        """Every champion that is remembered; what cannot be read is forgotten."""
        try:
            found = package_cache.remembered(self._folder)
        except OSError as error:
            self._note(f"cannot be read: {error}")
            return []
        for name, entry in found.items():
            if entry is None:
                self._drop(name, "what it remembers of the champion cannot be read")
        return [entry for entry in found.values() if entry is not None]

    def files(self, champion: Champion) -> dict[str, bytes] | None:
        """The files of a champion's package, not yet checked; None if they are not kept here."""
        try:
            return package_cache.read(self._folder, champion.problem, champion.content_hash)
        except MillraceError as error:
            self._note(f"{error.place}: {error.found}")
            return None

    def refuse(self, champion: Champion, why: str) -> None:
        """Throw away a kept package that proved damaged."""
        logger.warning(
            "%s: the kept package of version %d is refused and removed: %s", champion.problem, champion.version, why
        )
        package_cache.discard(self._folder, champion.problem, champion.content_hash)
        self._saved.pop(champion.problem, None)

    def keep(self, in_force: Iterable[tuple[Champion, Package]], known: Collection[str]) -> None:
        """Remember what is in force by the database's word; forget the problems that it does not know."""
        if self._clock() < self._retry_at:
            return
        try:
            for champion, package in in_force:
                if self._saved.get(champion.problem) != champion:
                    package_cache.save(self._folder, champion, package.files)
                    self._saved[champion.problem] = champion
            for name in package_cache.problems(self._folder):
                if name not in known:
                    self._drop(name, "it has no champion any more")
        except OSError as error:
            self._note(f"cannot be written: {error}")
            self._retry_at = self._clock() + RETRY_SECONDS
            return
        self.trouble = None

    def _drop(self, problem: str, why: str) -> None:
        logger.warning("%s: the kept packages are removed: %s", problem, why)
        self._saved.pop(problem, None)
        try:
            package_cache.forget(self._folder, problem)
        except OSError as error:
            self._note(f"cannot be written: {error}")

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("the cache of packages %s", trouble)
        self.trouble = trouble
