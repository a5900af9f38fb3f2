"""UUIDs of version 7: laid out as RFC 9562 says, rising whatever the clock does, never the same twice."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122, UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from millrace.domain.uuid7 import COUNTER_BITS, EPOCH, day_of, first_at, is_uuid7, time_of, uuid7s

MILLISECONDS = st.integers(0, 2**48 - 2)
MOMENTS = st.datetimes(EPOCH.replace(tzinfo=None), timezones=st.just(UTC))


def example_bits(bits: int) -> int:
    """The random bits of the RFC's example (appendix A.6): rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    rand_b = 0x18C4DC0C0C07398F
    return rand_b & 0xFFFFFFFF if bits == 32 else 0xCC3 << 30 | rand_b >> 32


def test_the_example_of_the_rfc() -> None:
    # Its counter's first bit is set; as a second id of the millisecond it is what the RFC prints.
    made = uuid7s(lambda: 0x017F22E279B0 * 1_000_000, lambda bits: example_bits(bits) - (bits != 32))
    made()
    assert str(made()) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(MILLISECONDS, st.data())
def test_version_variant_and_time_are_where_the_rfc_puts_them(ms: int, data: st.DataObject) -> None:
    one = uuid7s(lambda: ms * 1_000_000 + 999_999, lambda bits: data.draw(st.integers(0, 2**bits - 1)))()
    assert (one.version, one.variant) == (7, RFC_4122)
    assert one.int >> 80 == ms


@given(st.lists(st.integers(0, 50), min_size=2, max_size=200))
def test_ids_rise_also_when_the_clock_stands_or_goes_back(clock: list[int]) -> None:
    ticks = iter(clock)
    make = uuid7s(lambda: next(ticks) * 1_000_000, secrets.randbits)
    made = [make() for _ in clock]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert made[-1].int >> 80 == max(clock)


def test_a_millisecond_whose_counter_is_used_up_borrows_from_the_next() -> None:
    drawn = {"counter": 2**COUNTER_BITS - 1}
    make = uuid7s(lambda: 5_000_000, lambda bits: drawn["counter"] if bits == COUNTER_BITS - 1 else 0)
    first = make()
    drawn["counter"] = 0
    second = make()
    assert (first.int >> 80, second.int >> 80) == (5, 6)
    assert first < second


def test_threads_never_make_the_same() -> None:
    make = uuid7s(time.time_ns, secrets.randbits)
    with ThreadPoolExecutor(8) as threads:
        made = [one for many in threads.map(lambda _: [make() for _ in range(2_000)], range(8)) for one in many]
    assert len(set(made)) == 16_000


@given(MOMENTS)
def test_an_id_tells_its_time_and_its_day(moment: datetime) -> None:
    ns = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000
    one = uuid7s(lambda: ns, secrets.randbits)()
    assert timedelta(0) <= moment - time_of(one) < timedelta(milliseconds=1)
    assert day_of(one) == moment.date()


@given(MOMENTS, MOMENTS)
def test_first_at_parts_the_earlier_from_the_later(made_at: datetime, moment: datetime) -> None:
    ns = (made_at - EPOCH) // timedelta(microseconds=1) * 1_000
    one = uuid7s(lambda: ns, secrets.randbits)()
    assert (one >= first_at(moment)) == (time_of(one) >= moment)
    assert first_at(time_of(one)) <= one


def test_other_uuids_are_told_apart() -> None:
    assert is_uuid7(uuid7s(time.time_ns, secrets.randbits)())
    assert not is_uuid7(uuid4())
    assert not is_uuid7(UUID(int=7 << 76))
