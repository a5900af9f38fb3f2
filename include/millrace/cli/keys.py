"""Commands about the API keys of those who ask the replicas."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.terminal import Actor, Reason, console, who
from millrace.contract.errors import MillraceError, did_you_mean

keys = typer.Typer(help="API keys of those who ask the replicas: make one, see them, end one.", no_args_is_help=True)


@keys.command()
def create(
    client: Annotated[str, typer.Argument(help="Who will use it: a program or a team.")],
    reason: Reason,
    scope: Annotated[list[str], typer.Option(help="predict, read or admin; may be given more than once.")],
    actor: Actor = "",
    expires: Annotated[datetime | None, typer.Option(help="From this time on (UTC) it lets nobody in.")] = None,
    rows_per_second: Annotated[
        float | None,
        typer.Option(min=0, max=1e9, help="Its own limit at each replica; 0 is none. Default: the setting's."),
    ] = None,
) -> None:
    """Make a key for a client. It is shown this once: only its hash is kept."""
    from millrace.adapters import api_keys

    _check(scope, expires)
    made = api_keys.create(
        client,
        scopes=sorted(set(scope)),
        actor=who(actor),
        reason=reason,
        expires_at=expires.replace(tzinfo=UTC) if expires else None,
        rows_per_second=rows_per_second,
    )
    console.print(made, highlight=False, markup=False, soft_wrap=True)
    console.print("Shown this once. Every replica takes it within seconds: Authorization: Bearer <key>", soft_wrap=True)


@keys.command(name="list")
def list_() -> None:
    """Every key that was ever made: whose, for what, by whom and why, and whether it still holds."""
    from millrace.adapters import api_keys

    words = ("client", "scopes", "rows/s", "made", "state")
    table = Table(Column("id", no_wrap=True), *(Column(word, overflow="fold") for word in words))
    now = datetime.now(UTC)
    for one in api_keys.issued():
        key = one.key
        limit = "the setting's" if key.rows_per_second is None else f"{key.rows_per_second:g}"
        made = f"{one.created_at:%Y-%m-%d %H:%M} by {one.created_by}: {one.reason}"
        state = f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "in force"
        if key.is_over(now.timestamp()):
            state = f"over since {key.expires_at:%Y-%m-%d %H:%M} UTC"
        if one.revoked_at:
            state = f"revoked {one.revoked_at:%Y-%m-%d %H:%M} by {one.revoked_by}: {one.revoke_reason}"
        limit = "none" if key.rows_per_second == 0 else limit
        table.add_row(key.id, escape(key.client), " ".join(sorted(key.scopes)), limit, escape(made), escape(state))
    console.print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key, as the list shows it.")],
    reason: Reason,
    actor: Actor = "",
) -> None:
    """End a key for good: no replica takes it any more within seconds."""
    from millrace.adapters import api_keys

    ended = api_keys.revoke(key_id, actor=who(actor), reason=reason)
    console.print(f"Key {key_id} {'is revoked' if ended else 'was revoked before'}.", highlight=False)


def _check(scopes: list[str], expires: datetime | None) -> None:
    from millrace.domain.api_keys import SCOPES

    for scope in scopes:
        if scope not in SCOPES:
            raise MillraceError(
                "There is no such scope",
                place="option --scope",
                found=scope,
                expected=did_you_mean(scope, list(SCOPES)),
                fix="name predict, read or admin; the option may be given more than once",
            )
    if expires is not None and expires.replace(tzinfo=UTC) <= datetime.now(UTC):
        raise MillraceError(
            "The key would be over before it is made",
            place="option --expires",
            found=f"{expires:%Y-%m-%d %H:%M} UTC",
            expected="a time to come",
            fix="name a later time, such as 2030-01-31",
        )
