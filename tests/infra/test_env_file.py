"""The env file: secrets are made once, are private, and are never lost."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.env_file import ensure_env_file
from millrace.settings import Settings


def settings_of(path: Path) -> Settings:
    return Settings(_env_file=path)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MILLRACE_HOME", "MILLRACE_PORT_OFFSET", "MILLRACE_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_every_secret_gets_a_value_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ".env"
    assert ensure_env_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = settings_of(path)
    secrets = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    values = {getattr(settings, name).get_secret_value() for name in secrets}
    assert len(values) == len(secrets)
    assert all(len(value) >= 20 for value in values)
    assert settings.s3_access_key


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    ensure_env_file(path)
    before = path.read_text()
    assert not ensure_env_file(path)
    assert path.read_text() == before


def test_two_clones_never_share_a_secret(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    ensure_env_file(first)
    ensure_env_file(second)
    lines = [{line for line in path.read_text().splitlines() if "=" in line} for path in (first, second)]
    assert not lines[0] & lines[1]


def test_what_a_person_wrote_stays_and_what_is_new_is_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nMILLRACE_POSTGRES_PASSWORD=chosen\nOTHER=1\n")
    path.chmod(0o644)
    assert ensure_env_file(path)
    assert path.read_text().startswith("# mine\nMILLRACE_POSTGRES_PASSWORD=chosen\nOTHER=1\n")
    assert settings_of(path).postgres_password.get_secret_value() == "chosen"
    assert settings_of(path).warehouse_db_password.get_secret_value()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_stack_is_found_again_by_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MILLRACE_PORT_OFFSET", "700")
    path = tmp_path / ".env"
    ensure_env_file(path)
    monkeypatch.delenv("MILLRACE_HOME")
    monkeypatch.delenv("MILLRACE_PORT_OFFSET")
    settings = settings_of(path)
    assert settings.home == tmp_path / "state"
    assert settings.port("postgres") == 15432 + 700
