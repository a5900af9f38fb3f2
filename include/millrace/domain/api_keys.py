"""API keys: their form, what is kept of them, and whether what a caller sent is one.

A key is `mr_<id>_<secret>`. The id is public: it stands in logs and tables. The secret is 256 random bits, and only
its SHA-256 is kept. A slow hash, as passwords need, would protect nothing more: it makes the guessing of words
expensive, and 2**256 values cannot be guessed at any price. It would cost each request what it costs a thief.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Literal, get_args

Scope = Literal["predict", "read", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""`predict`: ask a model. `read`: see models, history, stored predictions. `admin`: whatever changes something."""

ID_DIGITS = 12
SECRET_DIGITS = 64
FORM = re.compile(rb"mr_[0-9a-f]{12}_[0-9a-f]{64}")
LENGTH = 80

_NOBODY = sha256(b"").digest()
"""What the secret of an unknown id is compared with, so that known and unknown ids take the same time."""


@dataclass(frozen=True)
class ApiKey:
    """What is known of one key. `rows_per_second` is its own limit: None is the setting's, 0 is none."""

    id: str
    client: str
    secret_hash: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    rows_per_second: float | None

    def is_over(self, now: float) -> bool:
        """Whether its time is over, `now` in seconds since 1970."""
        return self.expires_at is not None and self.expires_at.timestamp() <= now


def written(key_id: str, secret: str) -> str:
    """The key as its client sends it."""
    return f"mr_{key_id}_{secret}"


def taken_apart(sent: bytes) -> tuple[str, bytes] | None:
    """The id and the secret of what a caller sent; None if it cannot be a key.

    It looks at no digit: of what is none, no id is known. Each request pays for it.
    """
    if len(sent) != LENGTH or sent[:3] != b"mr_" or sent[15:16] != b"_":
        return None
    return sent[3:15].decode("latin-1"), sent[16:]


def hashed(secret: bytes) -> bytes:
    """What is kept of a secret."""
    return sha256(secret).digest()


def is_of(secret: bytes, key: ApiKey | None) -> bool:
    """Whether a secret is that of the key, in a time that tells nothing; never of no key."""
    return compare_digest(sha256(secret).digest(), key.secret_hash if key else _NOBODY) and key is not None
