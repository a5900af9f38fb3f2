"""UUIDs of version 7 (RFC 9562): an identity that tells its time, so that a replay finds the day it belongs to.

No library that serving locks makes them, and Python's own does from 3.14 on; then this file goes.
"""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import RFC_4122, UUID

COUNTER_BITS = 42
"""12 bits of rand_a and the first 30 of rand_b, counted up within one millisecond (RFC 9562, 6.2, method 1)."""
RANDOM_BITS = 32
"""Drawn anew for every id: neighbours cannot be guessed, and two processes of one counter differ."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RAND_B_COUNTER_BITS = COUNTER_BITS - 12
_VERSION_AND_VARIANT = 7 << 76 | 0b10 << 62


def uuid7s(clock_ns: Callable[[], int], random_bits: Callable[[int], int]) -> Callable[[], UUID]:
    """A source of ids, each larger than the one before, whatever the clock does. For any number of threads.

    A clock that is put back does not put back the ids: they stay at the latest millisecond until it has passed.

    Args:
        clock_ns: Nanoseconds since 1970 in UTC: `time.time_ns`.
        random_bits: So many random bits as a number: `secrets.randbits`.
    """
    lock = threading.Lock()
    latest_ms, counter = -1, 0

    def uuid7() -> UUID:
        nonlocal latest_ms, counter
        now_ms = clock_ns() // 1_000_000
        with lock:
            if now_ms > latest_ms:
                # The first bit begins at 0, so that at least 2**41 ids of this millisecond find room.
                latest_ms, counter = now_ms, random_bits(COUNTER_BITS - 1)
            else:
                counter += 1
                if counter >> COUNTER_BITS:
                    latest_ms, counter = latest_ms + 1, random_bits(COUNTER_BITS - 1)
            ms, count = latest_ms, counter
        return UUID(int=_laid_out(ms, count, random_bits(RANDOM_BITS)))

    return uuid7


def is_uuid7(one: UUID) -> bool:
    """Whether an id is of version 7, so that it tells a time."""
    return one.variant == RFC_4122 and one.version == 7


def time_of(one: UUID) -> datetime:
    """When a UUIDv7 was made, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=one.int >> 80)


def day_of(one: UUID) -> date:
    """The day of a UUIDv7 in UTC."""
    return time_of(one).date()


def first_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 whose time is not before a moment: just the ids of an earlier time sort before it."""
    return UUID(int=_laid_out(-((EPOCH - moment) // timedelta(milliseconds=1)), 0, 0))


def _laid_out(ms: int, counter: int, random: int) -> int:
    rand_a = counter >> _RAND_B_COUNTER_BITS
    rand_b = (counter & ((1 << _RAND_B_COUNTER_BITS) - 1)) << RANDOM_BITS | random
    return ms << 80 | rand_a << 64 | rand_b | _VERSION_AND_VARIANT
