"""Folders of the native stack. Standard library only: the set-up runs before anything is installed."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Tools belong to the clone, not to a stack: a second stack with its own MILLRACE_HOME uses the same ones.
TOOLS = ROOT / ".millrace" / "tools"
VENV = ROOT / ".venv"
# What is slow to make and the same for every clone of this user.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millrace"

UV = TOOLS / "setup-env" / "bin" / "uv"
SPARK_ENV = TOOLS / "spark-env"
JARS = TOOLS / "jars"
POSTGRES = TOOLS / "postgres"
MINIO = TOOLS / "minio"
KAFKA = TOOLS / "kafka"
CONNECT_PLUGINS = TOOLS / "connect-plugins"


def short_folder(home: Path) -> Path:
    """A folder for the sockets of one stack, with a short name: a socket's path may have 107 bytes."""
    return Path("/tmp") / f"millrace-{os.getuid()}-{hashlib.sha256(bytes(home)).hexdigest()[:8]}"
