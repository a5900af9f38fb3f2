"""Two replicas of the serving API: enough to see a rollout pass from one to the other."""

import subprocess
import time
import urllib.error
import urllib.request

from infra import probes
from infra.paths import ROOT, VENV
from infra.services.service import Launch, Service
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

KEY_PATIENCE_SECONDS = 30


def _replica(name: str) -> Service:
    def launch(settings: Settings) -> Launch:
        server = [str(VENV / "bin" / "python"), "-m", "serving", f"--port={settings.port(name)}"]
        return Launch(argv=server, environment={"MILLRACE_REPLICA": name})

    return Service(
        name=name,
        title=f"Serving replica {name[-1]}",
        port=name,
        launch=launch,
        waiting_for=lambda settings: probes.http(f"{settings.url(name)}/healthz"),
        complete=lambda settings: _let_the_operator_in(name, settings),
        wanted=lambda _settings: (ROOT / "serving" / "app.py").exists(),
        after=("postgres", "minio"),
        # The first start of a clone compiles every module that it imports, beside everything else that starts.
        patience_seconds=180,
        # It says that it leaves, answers what it has, and ends.
        stop_seconds=20,
    )


def _let_the_operator_in(name: str, settings: Settings) -> None:
    """Makes the key of the env file valid and waits until the replica takes it: the next command may ask at once."""
    if _takes_the_key(name, settings):
        return
    command = [str(VENV / "bin" / "python"), "-m", "millrace.adapters.operator_key"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise _not_let_in(name, settings, done.stderr.strip()[-1_000:])
    deadline = time.monotonic() + KEY_PATIENCE_SECONDS
    while not _takes_the_key(name, settings):
        if time.monotonic() > deadline:
            raise _not_let_in(name, settings, f"a replica that does not take it after {KEY_PATIENCE_SECONDS} s")
        time.sleep(0.2)


def _takes_the_key(name: str, settings: Settings) -> bool:
    key = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    asked = urllib.request.Request(f"{settings.url(name)}/v1/models", headers=key)
    try:
        with urllib.request.urlopen(asked, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _not_let_in(name: str, settings: Settings, found: str) -> MillraceError:
    return MillraceError(
        "The key of the env file lets nobody in",
        place=f"{settings.url(name)}, setting api_key",
        found=found,
        expected="a key that is registered and that the replica takes",
        fix="read what was found; the replica's log says whether it can look the keys up",
    )


SERVICES = (_replica("serving_1"), _replica("serving_2"))
