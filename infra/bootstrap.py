"""The first step of `make setup`, with nothing but Python 3.11: an environment for the set-up itself, then the set-up.

That environment (uv, rich, pydantic-settings; hashed pins) is made once per lock; after that this only looks.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".millrace" / "tools" / "setup-env"
LOCK = ROOT / "requirements" / "bootstrap.txt"


def main() -> None:
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"Millrace needs Python 3.11, this is {sys.version.split()[0]}: make setup PYTHON=/path/to/python3.11")
    stamp = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    mark = ENVIRONMENT / "stamp"
    if not mark.exists() or mark.read_text() != stamp:
        make(stamp)
    python = ENVIRONMENT / "bin" / "python"
    os.execve(python, [str(python), "-m", *sys.argv[1:]], {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'include'}"})


def make(stamp: str) -> None:
    print("  preparing the set-up", flush=True)
    half = ENVIRONMENT.with_name(f"setup-env.{os.getpid()}.half")
    half.parent.mkdir(parents=True, exist_ok=True)
    try:
        venv.create(half, with_pip=True, symlinks=True)
        pip = [str(half / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
        (half / "stamp").write_text(stamp)
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        half.rename(ENVIRONMENT)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"the set-up's own environment could not be made: {error}\n`make doctor` says what this machine lacks")
    finally:
        shutil.rmtree(half, ignore_errors=True)


if __name__ == "__main__":
    main()
