"""No caller gets more than its rate for long, and none that keeps to it is ever sent away."""

import math

from hypothesis import given
from hypothesis import strategies as st

from millrace.domain.rate_limit import TokenBucket

RATES = st.floats(0.1, 10_000)
BURSTS = st.floats(1, 10_000)
PAUSES = st.floats(0, 100)
ROWS = st.integers(1, 1_000)


@given(rate=RATES, burst=BURSTS, asked=st.lists(st.tuples(PAUSES, ROWS), max_size=60))
def test_never_more_than_burst_and_rate_and_one_request(
    rate: float, burst: float, asked: list[tuple[float, int]]
) -> None:
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    let_in: list[tuple[float, int]] = []
    for pause, rows in asked:
        now += pause
        if bucket.seconds_until_next(now) == 0:
            bucket.take(rows, now)
            let_in.append((now, rows))
    for first, (begin, _) in enumerate(let_in):
        for last in range(first, len(let_in)):
            before_last = sum(rows for _, rows in let_in[first:last])
            assert before_last <= burst + rate * (let_in[last][0] - begin) + 1e-3


@given(rate=RATES, burst=BURSTS, requests=st.integers(1, 100))
def test_who_keeps_to_the_rate_is_never_sent_away(rate: float, burst: float, requests: int) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    for number in range(requests):
        now = number / rate * 1.000_001
        assert bucket.seconds_until_next(now) == 0
        bucket.take(1, now)


@given(rate=RATES, burst=BURSTS, rows=ROWS, pause=PAUSES)
def test_who_waits_as_told_is_let_in_and_not_before(rate: float, burst: float, rows: int, pause: float) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    bucket.take(math.ceil(burst) + rows, pause)
    wait = bucket.seconds_until_next(pause)
    assert wait > 0
    assert bucket.seconds_until_next(pause + wait * 0.99) > 0
    assert bucket.seconds_until_next(pause + wait * 1.01) == 0


@given(burst=BURSTS)
def test_a_bucket_begins_full_and_holds_no_more(burst: float) -> None:
    bucket = TokenBucket(1.0, burst, 0.0)
    assert bucket.left(0.0) == bucket.left(1e9) == math.floor(burst)


def test_what_is_left_is_never_below_nothing() -> None:
    bucket = TokenBucket(1.0, 10.0, 0.0)
    bucket.take(1_000, 0.0)
    assert bucket.left(0.0) == 0
    assert bucket.seconds_until_next(0.0) == 991.0


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(100.0, 10.0, 50.0)
    bucket.take(10, 50.0)
    assert bucket.left(50.0) == bucket.left(0.0) == 0
