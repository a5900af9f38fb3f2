"""Two threads beside the requests: one ships the spool to the database, in order; one has the disk keep up with it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import psycopg
from pydantic_core import to_json

from millrace.adapters import prediction_store
from millrace.contract.errors import MillraceError
from millrace.domain.prediction_record import AnsweredRequest, from_bytes
from serving.spool import Batch, Spool
from serving.spool_lines import Damaged

logger = logging.getLogger("serving.shipping")

BATCH_BYTES = 2_000_000
GATHERING_SECONDS = 0.2
"""After a batch that emptied the spool: a commit for each request would cost the database more than the request."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 5.0
SYNC_SECONDS = 0.2
"""What was answered within this time, and that of one sync, may be gone after a loss of power."""
LAST_SECONDS = 5.0
"""At the end of the process, so long is tried to ship the rest; what is left is shipped by the next one."""

Store = Callable[[Sequence[AnsweredRequest]], None]
Connected = Callable[[], AbstractContextManager[Store]]


class Shipping:
    """Ships one spool. `connected` opens the store, which raises `psycopg.Error` where it refuses."""

    def __init__(self, spool: Spool, connected: Connected) -> None:
        self._spool, self._connected = spool, connected
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.trouble: str | None = None
        """Why the last try failed, None if it did not."""
        self.shipped_rows = 0
        self.set_aside_rows = 0

    def start(self) -> None:
        for name, target in (("shipping", self._run), ("spool-sync", self._keep_synced)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ship what can be shipped within seconds, and end; what is left stays in the spool."""
        self._stop.set()
        self._spool.news.set()
        for thread in self._threads:
            thread.join(2 * LAST_SECONDS)
        left = self._spool.backlog()
        if left.rows:
            logger.warning("%d predictions stay in the spool; the next start of this replica ships them", left.rows)

    def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        deadline: float | None = None
        while deadline is None or time.monotonic() < deadline:
            began = self.shipped_rows
            try:
                with self._connected() as store:
                    self._ship_until_stopped(store)
                    return
            except MillraceError as error:
                self._note(f"{error.problem}: {error.found}")
            except psycopg.Error as error:
                self._note(error.diag.message_primary or type(error).__name__)
            except Exception as error:  # A thread that has died would fill the spool without a word.
                logger.exception("shipping failed")
                self._note(f"unexpected: {type(error).__name__}")
            wait = FIRST_WAIT_SECONDS if self.shipped_rows > began else min(2 * wait, LONGEST_WAIT_SECONDS)
            if self._stop.wait(wait):
                deadline = deadline or time.monotonic() + LAST_SECONDS
                time.sleep(FIRST_WAIT_SECONDS)

    def _ship_until_stopped(self, store: Store) -> None:
        while True:
            # Before the look: what is written after it sets it again.
            self._spool.news.clear()
            batch = self._spool.read(BATCH_BYTES)
            if batch is not None:
                self._ship(store, batch)
                continue
            self.trouble = None
            if self._stop.is_set():
                return
            self._spool.news.wait(1)
            self._stop.wait(GATHERING_SECONDS)

    def _ship(self, store: Store, batch: Batch) -> None:
        requests: list[AnsweredRequest] = []
        for line in batch.found:
            if isinstance(line, Damaged):
                self._set_aside(line.found, 0, "a damaged line")
                continue
            try:
                requests.append(from_bytes(line.content))
            except MillraceError as error:
                self._set_aside(line.content, line.rows, f"{error.problem}: {error.place}: {error.found}")
        for one, why in stored_apart(store, requests):
            self._set_aside(to_json(one), len(one.predictions), why)
        self._spool.advance(batch)
        self.shipped_rows += sum(len(one.predictions) for one in requests)
        self.trouble = None

    def _set_aside(self, content: bytes, rows: int, why: str) -> None:
        """Keep what cannot be stored in a file of its own: the others behind it must not wait for ever."""
        path = self._spool.folder / "set-aside.jsonl"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.set_aside_rows += rows
        logger.error("set aside, not stored: %d predictions (%d bytes): %s", rows, len(content), why)

    def _keep_synced(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            try:
                self._spool.sync()
            except OSError as error:
                logger.error("the disk does not keep the spool: %s", error.strerror)  # noqa: TRY400 -- no place helps

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("predictions wait in the spool: %s", trouble)
        self.trouble = trouble


def stored_apart(store: Store, requests: Sequence[AnsweredRequest]) -> Iterator[tuple[AnsweredRequest, str]]:
    """Store requests together; those that the database refuses for themselves are found by halving, and told with why.

    Raises:
        psycopg.Error: If the database refuses for another reason, such as being away. A part may be stored then.
    """
    if not requests:
        return
    try:
        store(requests)
    except psycopg.Error as error:
        if not prediction_store.is_its_own(error):
            raise
        if len(requests) == 1:
            yield requests[0], error.diag.message_primary or type(error).__name__
            return
        middle = len(requests) // 2
        yield from stored_apart(store, requests[:middle])
        yield from stored_apart(store, requests[middle:])


@contextmanager
def to_the_warehouse() -> Iterator[Store]:
    """A store for `Shipping`: one connection to the warehouse database."""
    with prediction_store.connect() as connection:
        yield prediction_store.Writer(connection).store


def age_seconds(at_ms: int | None) -> float:
    """How long ago something was, 0 for nothing."""
    return 0.0 if at_ms is None else max(0.0, datetime.now(UTC).timestamp() - at_ms / 1000)
