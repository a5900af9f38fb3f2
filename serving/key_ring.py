"""The API keys that this replica takes: looked up once in a while, held in memory, kept in a file for the next start.

Looked at from a thread of its own, not from the watch's: a package whose download hangs must not keep a revoked key
alive.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from millrace.contract.errors import MillraceError
from millrace.domain.api_keys import ApiKey

logger = logging.getLogger("serving.keys")


class KeyRing:
    """The keys in force, by id. Requests read `keys`, a mapping that is replaced and never changed.

    While the database is away, the last known keys go on; a replica that starts then reads those of its last life.

    Args:
        lookup: `millrace.adapters.api_keys.in_force`.
        cache: Where the keys are kept, mode 600: ids, clients, hashes, scopes. None keeps nothing.
    """

    def __init__(self, lookup: Callable[[], list[ApiKey]], cache: Path | None = None) -> None:
        self.keys: Mapping[str, ApiKey] | None = None
        """None until they are known."""
        self.trouble: str | None = None
        """Why the last look failed, None if it did not."""
        self._lookup, self._cache = lookup, cache
        self._kept: list[ApiKey] | None = None
        self._keeping_failed: int | None = None

    def look(self) -> None:
        """See which keys there are."""
        try:
            found = self._lookup()
        except MillraceError as error:
            self._note_trouble(f"{error.problem}: {error.found}")
            if self.keys is None:
                self._recall()
            return
        self.trouble = None
        if self.keys is None or found != list(self.keys.values()):
            self.keys = {key.id: key for key in found}
        if self._cache is not None and found != self._kept:
            self._keep(found, self._cache)

    def run(self, stop: threading.Event, every_seconds: float) -> None:
        """Look again and again until stopped."""
        while not stop.is_set():
            try:
                self.look()
            except Exception as error:  # A ring whose look has died would let revoked keys in for ever.
                logger.exception("the look at the API keys failed")
                self._note_trouble(f"unexpected: {type(error).__name__}")
            stop.wait(every_seconds)

    def _recall(self) -> None:
        if self._cache is None:
            return
        try:
            told = os.lstat(self._cache)
            if told.st_uid != os.geteuid() or told.st_mode & 0o177:
                logger.warning("the kept API keys are not read: others may write %s, or read it", self._cache)
                return
            kept = json.loads(self._cache.read_text())
            keys = {one["id"]: _read(one) for one in kept["keys"]}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("the kept API keys cannot be read: %s: %s", self._cache, type(error).__name__)
            return
        self.keys = keys
        logger.warning("the API keys are those that were kept at %s, until the database answers", kept["looked_at"])

    def _keep(self, found: list[ApiKey], cache: Path) -> None:
        content = {"looked_at": round(time.time()), "keys": [_written(key) for key in found]}
        half = cache.with_suffix(".half")
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            half.unlink(missing_ok=True)
            with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            half.replace(cache)
        except OSError as error:
            # The replica works without it; only its next start needs the database then. The next look tries again.
            if error.errno != self._keeping_failed:
                logger.warning("the API keys cannot be kept in %s: %s", cache, error.strerror)
            self._keeping_failed = error.errno
            return
        self._kept, self._keeping_failed = found, None

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("the API keys cannot be looked up: %s", trouble)
        self.trouble = trouble


def _written(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "client": key.client,
        "secret_hash": key.secret_hash.hex(),
        "scopes": sorted(key.scopes),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "rows_per_second": key.rows_per_second,
    }


def _read(kept: dict[str, Any]) -> ApiKey:
    until = kept["expires_at"]
    return ApiKey(
        kept["id"],
        kept["client"],
        bytes.fromhex(kept["secret_hash"]),
        frozenset(kept["scopes"]),
        datetime.fromisoformat(until) if until else None,
        kept["rows_per_second"],
    )
