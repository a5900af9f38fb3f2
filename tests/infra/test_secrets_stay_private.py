"""No secret where another user of the machine, a log or a repository could see it."""

import re
import stat
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.env_file import ensure_env_file
from infra.services import PROFILES, wanted
from infra.services.kafka_connect import prepare as prepare_connect
from infra.services.spark import prepare as prepare_spark
from infra.stack.launching import write_launch_file
from millrace.settings import ROOT, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ensure_env_file(tmp_path / ".env")
    (tmp_path / "run").mkdir()
    return Settings(_env_file=tmp_path / ".env", home=tmp_path)


def secrets(settings: Settings) -> list[str]:
    names = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    return [getattr(settings, name).get_secret_value() for name in names]


def test_no_secret_is_in_an_argument(settings: Settings) -> None:
    for service in PROFILES["core"]:
        arguments = " ".join(service.launch(settings).argv)
        assert not [secret for secret in secrets(settings) if secret in arguments], service.name


def test_files_with_secrets_are_private(settings: Settings) -> None:
    prepare_spark(settings)
    prepare_connect(settings)
    for service in wanted(settings):
        write_launch_file(service, settings)
    for path in settings.home.rglob("*"):
        if path.is_file() and any(secret in path.read_text() for secret in secrets(settings)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_settings_never_show_a_secret(settings: Settings) -> None:
    assert not [secret for secret in secrets(settings) if secret in repr(settings) + str(settings)]


def test_no_tracked_file_holds_a_secret_or_names_a_host_of_packages() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    env = ROOT / ".env"
    known = re.findall(r"^MILLRACE_\w+=(\S{16,})$", env.read_text(), re.MULTILINE) if env.exists() else []
    known = [value for value in known if not value.startswith("/")]
    for name in tracked:
        path = ROOT / name
        text = path.read_text(errors="replace") if path.is_file() else ""
        assert not [value for value in known if value in text], name
        if name.startswith("requirements"):
            assert "://" not in text, name
