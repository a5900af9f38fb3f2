"""Two Python environments: all of ours with the Spark client, and the Spark server's own.

pyspark and pyspark-client both ship the package `pyspark`, so they cannot share one.
"""

import tomllib

from infra.paths import ROOT, SPARK_ENV, UV, VENV
from infra.setup.building import Say, Task, run

QUIET = {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "VIRTUAL_ENV": ""}


def tasks(python: str) -> list[Task]:
    native, spark = ROOT / "requirements" / "native.txt", ROOT / "requirements" / "spark.txt"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    ours = str([project["project"], project["build-system"], project["tool"]["hatch"]])

    def make_native(say: Say) -> None:
        _sync(VENV, native, python, "python", say)
        say("installing millrace itself")
        install = [str(UV), "pip", "install", f"--python={VENV}/bin/python", "--no-deps", "--no-build-isolation"]
        run([*install, "--editable", "."], say, log="python", environment=QUIET)

    def make_spark(say: Say) -> None:
        _sync(SPARK_ENV, spark, python, "spark", say)

    return [
        Task(
            name="Python", target=VENV / "bin" / "millrace", inputs=native.read_text() + ours + python, make=make_native
        ),
        Task(name="Spark", target=SPARK_ENV / "bin" / "python", inputs=spark.read_text() + python, make=make_spark),
    ]


def _sync(environment_folder: object, lock: object, python: str, log: str, say: Say) -> None:
    """Brings an environment to exactly the lock; interrupted, the next run goes on from uv's cache."""
    say("resolving")
    run(
        [str(UV), "venv", "--allow-existing", f"--python={python}", str(environment_folder)],
        say,
        log=log,
        environment=QUIET,
    )
    command = [str(UV), "pip", "sync", "--require-hashes", f"--python={environment_folder}/bin/python", str(lock)]
    run(command, say, log=log, environment=QUIET)
