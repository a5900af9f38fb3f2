"""Writes what each service is started with: one private file a service, read by `infra/keep.py` at every start."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from infra.files import write_private
from infra.paths import SPARK_ENV, TOOLS, VENV
from infra.services.service import Launch, Service
from millrace.settings import Settings, env_file

# What a service may see of the shell that ran `make up`: enough to find programs, nothing that configures a library.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "JAVA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")


def mark(settings: Settings, service: str = "") -> str:
    """The mark that processes of a service carry (`infra/keep.py`); without a service, the beginning of all marks."""
    return f"{settings.home}|{service}|" if service else f"{settings.home}|"


def write_launch_file(service: Service, settings: Settings) -> tuple[Path, str]:
    """Writes the launch file of a service; returns it with a stamp that changes when the service must be restarted.

    That is when its arguments, its settings or the packages that it runs on changed; not when only the shell did from
    which `make up` was called.
    """
    launch = service.launch(settings)
    content: dict[str, Any] = {
        "mark": mark(settings, service.name),
        "stop_signal": service.stop_signal,
        "argv": launch.argv,
        "folder": str(launch.folder),
        "companion": launch.companion,
        "environment": environment(settings) | launch.environment,
    }
    text = json.dumps(content, indent=1, sort_keys=True)
    path = settings.home / "run" / f"{service.name}.json"
    write_private(path, text)
    ours = {name: value for name, value in content["environment"].items() if name not in PASSED_ON}
    stamp = json.dumps(content | {"environment": ours, "packages": _packages(launch)}, sort_keys=True)
    return path, hashlib.sha256(stamp.encode()).hexdigest()[:12]


def _packages(launch: Launch) -> str:
    """What the set-up noted when it made the environment of this program: lock and interpreter."""
    for name, folder in (("Python", VENV), ("Spark", SPARK_ENV)):
        note = TOOLS / "stamps" / name
        if Path(launch.argv[0]).is_relative_to(folder) and note.exists():
            return note.read_text()
    return ""


def environment(settings: Settings) -> dict[str, str]:
    """What every service gets: the way to the same settings, and quiet libraries."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    ours = {
        name: value for name, value in os.environ.items() if name.startswith("MILLRACE_") and name != "MILLRACE_SERVICE"
    }
    return {
        **passed_on,
        **ours,
        "MILLRACE_ENV_FILE": str(env_file()),
        "MILLRACE_HOME": str(settings.home),
        "MILLRACE_PORT_OFFSET": str(settings.port_offset),
        "PYTHONUNBUFFERED": "1",
        # Without this, processes that set their title overwrite their environment, and with it our mark.
        "SPT_NOENV": "1",
        "NO_COLOR": "1",
        "GIT_PYTHON_REFRESH": "quiet",
    }
