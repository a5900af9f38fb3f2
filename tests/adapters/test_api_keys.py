"""Keys are made, told once, and end; nothing in the database would let anybody in."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from millrace.adapters import api_keys, operator_key
from millrace.adapters.control import control
from millrace.cli import app
from millrace.contract.errors import MillraceError
from millrace.domain.api_keys import SCOPES, ApiKey, is_of, taken_apart, written
from millrace.settings import get_settings

pytestmark = pytest.mark.stack


@pytest.fixture
def client() -> Iterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    yield name
    with control() as connection:
        connection.execute("DELETE FROM control.api_keys WHERE client = %s", [name])


def created(client: str, scopes: tuple[str, ...] = ("predict",)) -> str:
    return api_keys.create(client, scopes=list(scopes), actor="ann", reason="the shop")


def of(client: str) -> list[ApiKey]:
    return [key for key in api_keys.in_force() if key.client == client]


def fresh() -> str:
    return written(secrets.token_hex(6), secrets.token_hex(32))


def registered(sent: str, client: str) -> None:
    api_keys.register(sent, client, scopes=list(SCOPES), actor="make up", reason="the env file")


def test_a_key_that_was_made_is_in_force_and_lets_in_its_secret_alone(client: str) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    sent = api_keys.create(
        client, scopes=["predict", "read"], actor="ann", reason="x", expires_at=until, rows_per_second=5
    )
    parts = taken_apart(sent.encode())
    assert parts
    (key,) = of(client)
    assert (key.id, key.scopes, key.expires_at, key.rows_per_second) == (parts[0], {"predict", "read"}, until, 5)
    assert is_of(parts[1], key)
    assert not is_of(parts[1][::-1], key)


def test_the_database_holds_nothing_of_the_secret(client: str) -> None:
    secret = created(client).rpartition("_")[2]
    with control() as connection:
        rows = connection.execute("SELECT api_keys::text AS row FROM control.api_keys").fetchall()
    assert rows
    assert not any(secret in row["row"] for row in rows)


def test_a_revoked_key_is_gone_and_its_history_is_not(client: str) -> None:
    key_id = created(client).split("_")[1]
    assert api_keys.revoke(key_id, actor="bob", reason="left")
    assert not api_keys.revoke(key_id, actor="eve", reason="again")
    assert of(client) == []
    (told,) = [one for one in api_keys.issued() if one.key.client == client]
    assert (told.created_by, told.reason, told.revoked_by, told.revoke_reason) == ("ann", "the shop", "bob", "left")
    assert told.revoked_at is not None
    assert told.revoked_at > told.created_at


def test_revoking_what_is_no_id_says_so_and_shows_no_secret(client: str) -> None:
    sent = created(client)
    with pytest.raises(MillraceError, match="no such API key") as error:
        api_keys.revoke(sent, actor="ann", reason="x")
    assert sent not in str(error.value)
    assert sent.rpartition("_")[2] not in str(error.value)


def test_a_key_of_an_env_file_is_registered_once(client: str) -> None:
    sent = fresh()
    for _ in range(2):
        registered(sent, client)
    (key,) = of(client)
    assert (key.id, key.scopes, key.rows_per_second) == (sent.split("_")[1], set(SCOPES), 0)


def test_another_key_takes_its_place_and_a_persons_own_stays(client: str) -> None:
    mine = created(client).split("_")[1]
    old, new = fresh(), fresh()
    registered(old, client)
    registered(new, client)
    assert {key.id for key in of(client)} == {mine, new.split("_")[1]}


def test_another_secret_of_the_same_id_is_the_one_that_holds(client: str) -> None:
    old = fresh()
    new = written(old.split("_")[1], secrets.token_hex(32))
    registered(old, client)
    registered(new, client)
    (key,) = of(client)
    assert is_of(new.rpartition("_")[2].encode(), key)


def test_no_other_client_is_taken_over_by_its_id(client: str) -> None:
    sent = created(client)
    (before,) = of(client)
    with pytest.raises(MillraceError, match="lets nobody in"):
        registered(written(before.id, secrets.token_hex(32)), "operator-of-a-test")
    assert of(client) == [before]
    assert is_of(sent.rpartition("_")[2].encode(), before)


def test_a_revoked_key_of_an_env_file_stays_revoked(client: str) -> None:
    sent = fresh()
    registered(sent, client)
    api_keys.revoke(sent.split("_")[1], actor="ann", reason="it leaked")
    with pytest.raises(MillraceError, match="lets nobody in") as error:
        registered(sent, client)
    assert of(client) == []
    assert sent.rpartition("_")[2] not in str(error.value)


def test_what_is_no_key_is_not_registered_and_not_shown(client: str) -> None:
    with pytest.raises(MillraceError) as error:
        registered("hunter2", client)
    assert "hunter2" not in str(error.value)


def test_the_operator_has_every_scope() -> None:
    operator_key.register()
    mine = get_settings().api_key.get_secret_value().split("_")[1]
    (key,) = [one for one in api_keys.in_force() if one.id == mine]
    assert (key.client, key.scopes) == ("operator", set(SCOPES))


def test_the_commands_show_a_secret_once_and_never_again(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    runner = CliRunner()
    made = runner.invoke(
        app, ["keys", "create", client, "--scope", "predict", "--scope", "read", "--reason", "the shop"]
    )
    key = made.stdout.split()[0]
    parts = taken_apart(key.encode())
    assert parts
    assert is_of(parts[1], of(client)[0])
    ended = runner.invoke(app, ["keys", "revoke", parts[0], "--reason", "it closed", "--actor", "bob"])
    assert ended.exit_code == 0
    (line,) = [line for line in runner.invoke(app, ["keys", "list"]).stdout.splitlines() if client in line]
    assert parts[0] in line
    assert "predict read" in line
    assert "by bob: it closed" in line
    assert parts[1].decode() not in line


@pytest.mark.parametrize(
    "wrong",
    [["--scope", "raed"], ["--scope", "read", "--expires", "2020-01-01"], ["--scope", "read", "--scope", "all"]],
)
def test_no_key_is_made_for_what_makes_no_sense(client: str, wrong: list[str]) -> None:
    refused = CliRunner().invoke(app, ["keys", "create", client, "--reason", "x", *wrong])
    assert isinstance(refused.exception, MillraceError)
    assert of(client) == []
