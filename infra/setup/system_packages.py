"""Programs of the system that some tests and benchmarks want: `python -m infra.setup.system_packages chromium wrk`.

They are taken where nobody has to be asked: by root, with apt-get. Anywhere else, and where that fails, those tests
are skipped and say what to install.
"""

import os
import shutil
import subprocess
import sys

from infra.doctor import WANTED_BY_TESTS

PATIENCE_SECONDS = 400


def main() -> None:
    missing = [WANTED_BY_TESTS[program] for program in sys.argv[1:] if shutil.which(program) is None]
    if not missing or os.getuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(missing)}", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )
        except subprocess.TimeoutExpired:
            print(f"{' '.join(command)} took longer than {PATIENCE_SECONDS} s: what needs it is skipped")
            return
        if done.returncode:
            print(f"{' '.join(command)} failed: what needs it is skipped\n{done.stderr.strip()[-500:]}")
            return


if __name__ == "__main__":
    main()
