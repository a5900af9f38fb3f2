"""Which build of Millrace a process runs."""

import platform
import subprocess
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from millrace.settings import ROOT, get_settings


@cache
def build_info() -> dict[str, str]:
    """Version, git commit ("unknown" where nobody can tell), version of Python."""
    return {"version": _version(), "commit": _commit() or "unknown", "python": platform.python_version()}


def _version() -> str:
    try:
        return version("millrace")
    except PackageNotFoundError:  # An image has our folders on its path, and no installed package.
        project = ROOT / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"]) if project.exists() else "unknown"


def _commit() -> str:
    if told := get_settings().commit:
        return told
    # Only of this very folder: git would look upward, and name the commit of whatever holds it.
    if not (ROOT / ".git").exists():
        return ""
    try:
        asked = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(asked, check=True, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
