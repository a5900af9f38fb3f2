"""Where predictions go before their answer leaves, and where they are read again: the spool, then the warehouse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from millrace.adapters import prediction_store
from millrace.adapters.prediction_store import Wanted
from millrace.domain.prediction_record import AnsweredRequest, as_bytes, from_bytes
from millrace.settings import Settings
from serving.shipping import Connected, Shipping, age_seconds, to_the_warehouse
from serving.spool import Spool
from serving.spool_lines import line

READING_SECONDS = 10
LONGEST_REQUEST_MS = 600_000


@dataclass(frozen=True)
class StoreState:
    """How far storing is behind. `trouble`: why the database takes nothing, None while it does."""

    waiting_rows: int
    waiting_bytes: int
    limit_bytes: int
    oldest_seconds: float
    stored_rows: int
    set_aside_rows: int
    trouble: str | None
    disk_trouble: str | None = None
    """Why the disk refused the last request, None if it took it."""

    @property
    def is_full(self) -> bool:
        """Whether there may be no room for the next request."""
        return self.waiting_bytes >= 0.99 * self.limit_bytes or self.disk_trouble is not None


Keep = Callable[[AnsweredRequest], None]


class Store(Protocol):
    """What the application needs. A test has one in memory; the application of a replica has `SpooledStore`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def keep(self, request: AnsweredRequest) -> None:
        """Called before the answer leaves. Raises `SpoolError`: then it must not leave."""

    def state(self) -> StoreState: ...

    def newest(self, problem: str, wanted: Wanted, limit: int) -> list[dict[str, Any]]: ...

    def by_id(self, problem: str, wanted: UUID) -> Mapping[str, Any] | None: ...


class SpooledStore:
    """Keeps in the spool, ships to the warehouse, reads from there. The spool is open from `start` to `stop`."""

    def __init__(self, settings: Settings, connected: Connected = to_the_warehouse) -> None:
        self._settings, self._connected = settings, connected
        self._spool: Spool
        self._shipping: Shipping

    def start(self) -> None:
        """Open the spool of this replica and go on shipping.

        Raises:
            MillraceError: If another process has it open, or it cannot be written.
        """
        settings = self._settings
        self._spool = Spool(
            settings.spool_folder / settings.replica,
            limit_bytes=settings.spool_limit_bytes,
            sync_each_write=settings.spool_sync_each_answer,
        )
        self._shipping = Shipping(self._spool, self._connected)
        self._shipping.start()

    def stop(self) -> None:
        """Ship what can be shipped within seconds, and close the spool."""
        self._shipping.stop()
        self._spool.close()

    def keep(self, request: AnsweredRequest) -> None:
        rows = len(request.predictions)
        self._spool.write(line(as_bytes(request), at_ms=request.id.int >> 80, rows=rows), rows=rows)

    def state(self) -> StoreState:
        self._spool.try_again()
        backlog = self._spool.backlog()
        return StoreState(
            waiting_rows=backlog.rows,
            waiting_bytes=backlog.bytes,
            limit_bytes=backlog.limit_bytes,
            oldest_seconds=age_seconds(backlog.oldest_ms),
            stored_rows=self._shipping.shipped_rows,
            set_aside_rows=self._shipping.set_aside_rows,
            trouble=self._shipping.trouble,
            disk_trouble=self._spool.trouble,
        )

    def newest(self, problem: str, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
        with prediction_store.connect(patience_seconds=READING_SECONDS) as connection:
            return prediction_store.newest(connection, problem, wanted, limit)

    def by_id(self, problem: str, wanted: UUID) -> Mapping[str, Any] | None:
        # The spool first: what leaves it meanwhile is in the table by then.
        if (waiting := self._waiting(problem, wanted)) is not None:
            return waiting
        with prediction_store.connect(patience_seconds=READING_SECONDS) as connection:
            return prediction_store.by_id(connection, problem, wanted)

    def _waiting(self, problem: str, wanted: UUID) -> Mapping[str, Any] | None:
        backlog = self._spool.backlog()
        # The request's own id, of which the line tells the time, is made after those of its predictions.
        if backlog.oldest_ms is None or (wanted.int >> 80) < backlog.oldest_ms - LONGEST_REQUEST_MS:
            return None
        found = self._spool.search(str(wanted).encode())
        request = from_bytes(found) if found is not None else None
        if request is None or request.problem != problem:
            return None
        return next((row for row in prediction_store.rows_of(request) if row["id"] == wanted), None)
