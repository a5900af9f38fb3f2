"""A key is told from whatever else a caller may send, and nothing of it is kept that would be one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.domain.api_keys import ApiKey, hashed, is_of, taken_apart, written

SECRET = "5e" * 32
KEY = ApiKey("0123456789ab", "shop", hashed(SECRET.encode()), frozenset({"predict"}), None, None)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(key_id=st.text("0123456789abcdef", min_size=12, max_size=12), secret=HEX)
def test_a_key_is_taken_apart_as_it_was_written(key_id: str, secret: str) -> None:
    assert taken_apart(written(key_id, secret).encode()) == (key_id, secret.encode())


@given(st.binary(max_size=200))
def test_what_has_not_the_form_is_no_key(sent: bytes) -> None:
    assert taken_apart(sent) is None


@pytest.mark.parametrize("change", ["{} ", " {}", "{}\n", "{}0", "MR{}", "{}{}"])
def test_a_key_with_anything_beside_it_is_no_key(change: str) -> None:
    key = written(KEY.id, SECRET)
    assert taken_apart(change.format(key, key).encode()) is None


@given(HEX)
def test_only_the_one_secret_is_of_the_key(secret: str) -> None:
    assert is_of(secret.encode(), KEY) == (secret == SECRET)


def test_no_secret_is_of_no_key() -> None:
    assert is_of(SECRET.encode(), KEY)
    assert not is_of(SECRET.encode(), None)
    assert not is_of(b"", None)


def test_what_is_kept_holds_nothing_of_the_secret() -> None:
    assert SECRET not in repr(KEY)
    assert bytes.fromhex(SECRET) not in KEY.secret_hash


def test_a_key_is_over_at_its_time_and_not_before() -> None:
    until = datetime(2026, 3, 1, tzinfo=UTC)
    key = ApiKey("0123456789ab", "shop", b"", frozenset(), until, None)
    assert not key.is_over(until.timestamp() - 0.001)
    assert key.is_over(until.timestamp())
    assert not KEY.is_over(until.timestamp())
