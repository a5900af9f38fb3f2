"""`make doctor`: what this machine lacks, and the way out. Plain Python, so that it works before `make setup`.

`python3 infra/doctor.py`; exit code 1 when something needed is missing.
"""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEMORY_GIB = 12
DISK_GIB = 12
JAVA = (17, 21)
# Program → its package in Debian. Where they may, `make test` and `make bench` install them.
WANTED_BY_TESTS = {"chromium": "chromium", "chromedriver": "chromium-driver", "wrk": "wrk"}
# As in include/millrace/settings.py, which this cannot import before the set-up; a test holds them equal.
PORTS = (5000, 8001, 8002, 8080, 8083, 8265, 8266, 8267, 6385, 9000, 9001, 9092, 9093, 9404, 9405, 15002, 15432, 15433)

# One finding: good (True), a warning (None) or missing (False); what was looked at; what was found; the way out.
Finding = tuple[bool | None, str, str, str]


def findings() -> Iterator[Finding]:
    """Everything that is looked at, in the order in which it matters."""
    yield _system()
    yield _python()
    yield _memory()
    yield _disk()
    yield _java()
    yield _program("mvn", "Maven fetches the jars of Spark and Kafka, and Postgres", "apt-get install maven")
    yield _go()
    yield _root()
    for program, package in WANTED_BY_TESTS.items():
        found = shutil.which(program)
        words = f"none; {'make bench loads with it' if program == 'wrk' else 'the browser tests drive it'}"
        yield found is not None or None, program, found or words, f"apt-get install {package}"
    yield from _ports()


def _system() -> Finding:
    found = f"{platform.system()} {platform.machine()}"
    good = platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64")
    return (
        good,
        "system",
        found,
        "on macOS and Windows use the container stack: see README, “Which form for which platform”",
    )


def _python() -> Finding:
    good = sys.version_info[:2] == (3, 11)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False, "Python", "3.11 without venv", "apt-get install python3.11-venv"
    return good, "Python", platform.python_version(), "install Python 3.11, then make setup PYTHON=/path/to/python3.11"


def _memory() -> Finding:
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        found >= MEMORY_GIB or None,
        "memory",
        f"{found:.0f} GiB",
        f"{MEMORY_GIB} GiB are comfortable; the stack idles at 3-4",
    )


def _disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 1024**3
    return (
        free >= DISK_GIB,
        "disk",
        f"{free:.0f} GiB free",
        f"free {DISK_GIB} GiB: environments, jars and caches take about 5",
    )


def _java() -> Finding:
    words = "Java 17 or 21 runs Spark and Kafka"
    try:
        told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    except FileNotFoundError:
        return False, "Java", f"none; {words}", "apt-get install openjdk-17-jre-headless"
    version = int((re.findall(r'version "(\d+)', told) or ["0"])[0])
    way_out = "install Java 17 and put it first in PATH, or set JAVA_HOME to it"
    return version in JAVA, "Java", f"{version}; {words}", way_out


def _program(name: str, words: str, way_out: str) -> Finding:
    found = shutil.which(name)
    return found is not None, name, found or f"none; {words}", way_out


def _go() -> Finding:
    found = shutil.which("go")
    return True, "Go", found or "none: the set-up takes one from PyPI to build MinIO", ""


def _root() -> Finding:
    if os.getuid() != 0:
        return True, "user", f"user id {os.getuid()}", ""
    found = shutil.which("setpriv")
    return found is not None, "user", "root; Postgres drops to nobody with setpriv", "apt-get install util-linux"


def _ports() -> Iterator[Finding]:
    """Ports that something else holds; those of a running stack of this clone are none of it."""
    if (ROOT / ".millrace" / "run" / "supervisord.pid").exists():
        yield True, "ports", "a stack of this clone is up: `make status` looks at them", ""
        return
    offset = int(os.environ.get("MILLRACE_PORT_OFFSET", "0"))
    taken = []
    for port in sorted(PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port + offset))
            except OSError:
                taken.append(port + offset)
    if taken:
        yield (
            None,
            "ports",
            f"taken: {', '.join(map(str, taken))}",
            "end those programs, or MILLRACE_PORT_OFFSET=100 in .env",
        )
    else:
        yield True, "ports", "all free", ""


def main() -> None:
    signs = {True: "✓", None: "!", False: "✗"}
    missing = False
    for good, what, found, way_out in findings():
        print(f"{signs[good]} {what:<12} {found}")
        if not good:
            print(f"  {'':<12} → {way_out}")
        missing = missing or good is False
    if not (ROOT / ".venv").exists():
        print("Next: make setup")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
