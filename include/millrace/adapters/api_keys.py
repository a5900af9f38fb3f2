"""The API keys of the callers: of each, its id, its client and the hash of its secret; never the secret."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import DictRow

from millrace.adapters.control import control
from millrace.contract.errors import MillraceError
from millrace.domain.api_keys import FORM, ID_DIGITS, SECRET_DIGITS, ApiKey, hashed, taken_apart, written

_KEY = "id, client, secret_hash, scopes, expires_at, rows_per_second"


@dataclass(frozen=True)
class IssuedKey:
    """A key with its history; `revoked_…` is None while it holds."""

    key: ApiKey
    created_by: str
    reason: str
    created_at: datetime
    revoked_by: str | None
    revoke_reason: str | None
    revoked_at: datetime | None


def create(
    client: str,
    *,
    scopes: list[str],
    actor: str,
    reason: str,
    expires_at: datetime | None = None,
    rows_per_second: float | None = None,
) -> str:
    """Make a key for a client.

    Returns:
        The key. It is told this once: afterwards nobody has its secret but the client.
    """
    secret = secrets.token_hex(SECRET_DIGITS // 2)
    key_id = secrets.token_hex(ID_DIGITS // 2)
    with control() as connection:
        connection.execute(
            f"INSERT INTO control.api_keys ({_KEY}, created_by, reason) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [key_id, client, hashed(secret.encode()), scopes, expires_at, rows_per_second, actor, reason],
        )
    return written(key_id, secret)


def in_force() -> list[ApiKey]:
    """The keys that nobody revoked. Whose time is over is not asked here: that is a matter of the moment."""
    with control() as connection:
        rows = connection.execute(
            f"SELECT {_KEY} FROM control.api_keys WHERE revoked_at IS NULL ORDER BY id"
        ).fetchall()
    return [_key(row) for row in rows]


def issued() -> list[IssuedKey]:
    """Every key that was ever made, the newest first."""
    with control() as connection:
        rows = connection.execute("SELECT * FROM control.api_keys ORDER BY created_at DESC, id").fetchall()
    return [
        IssuedKey(
            _key(row),
            row["created_by"],
            row["reason"],
            row["created_at"],
            row["revoked_by"],
            row["revoke_reason"],
            row["revoked_at"],
        )
        for row in rows
    ]


def revoke(key_id: str, *, actor: str, reason: str) -> bool:
    """End a key for good.

    Returns:
        Whether it held until now: False if it had been revoked before, which changes nothing.

    Raises:
        MillraceError: If there is no such key.
    """
    with control() as connection:
        ended = connection.execute(
            "UPDATE control.api_keys SET (revoked_by, revoke_reason, revoked_at) = (%s, %s, clock_timestamp())"
            " WHERE id = %s AND revoked_at IS NULL",
            [actor, reason, key_id],
        )
        there = connection.execute("SELECT 1 FROM control.api_keys WHERE id = %s", [key_id]).fetchone()
    if there is None:
        raise MillraceError(
            "There is no such API key",
            place="table control.api_keys",
            found=key_id[:ID_DIGITS],
            expected="the id of a key: 12 digits, never the key itself",
            fix="`millrace keys list` shows the ids",
        )
    return ended.rowcount == 1


def register(sent: str, client: str, *, scopes: list[str], actor: str, reason: str) -> None:
    """Make a key that somebody else made valid, in place of the client's earlier ones. A second time changes nothing.

    It is for the key of the env file, which has no limit of its own. One that was revoked stays revoked.

    Raises:
        MillraceError: If it has not the form of a key, or was revoked.
    """
    parts = taken_apart(sent.encode())
    if parts is None or not FORM.fullmatch(sent.encode()):
        raise _unfit("a value of another form (it is not shown)")
    key_id, secret = parts
    with control() as connection:
        connection.execute(
            f"INSERT INTO control.api_keys ({_KEY}, created_by, reason) VALUES (%s, %s, %s, %s, NULL, 0, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET secret_hash = EXCLUDED.secret_hash"
            " WHERE api_keys.client = EXCLUDED.client AND api_keys.secret_hash <> EXCLUDED.secret_hash",
            [key_id, client, hashed(secret), scopes, actor, reason],
        )
        found = connection.execute("SELECT client, revoked_at FROM control.api_keys WHERE id = %s", [key_id]).fetchone()
        if found is None or found["client"] != client:
            raise _unfit("the id of another client's key")
        if found["revoked_at"] is None:
            connection.execute(
                "UPDATE control.api_keys SET (revoked_by, revoke_reason, revoked_at) = (%s, %s, clock_timestamp())"
                " WHERE client = %s AND id <> %s AND created_by = %s AND revoked_at IS NULL",
                [actor, "another key took its place", client, key_id, actor],
            )
            return
    raise _unfit(f"key {key_id}, which was revoked")


def _key(row: DictRow) -> ApiKey:
    return ApiKey(
        row["id"],
        row["client"],
        bytes(row["secret_hash"]),
        frozenset(row["scopes"]),
        row["expires_at"],
        row["rows_per_second"],
    )


def _unfit(found: str) -> MillraceError:
    return MillraceError(
        "The API key of the env file lets nobody in",
        place="setting api_key",
        found=found,
        expected="mr_<12 digits>_<64 digits>, as `make env` writes it, and not revoked",
        fix="delete the line MILLRACE_API_KEY in .env, then `make up`: it makes and registers a new one",
    )
