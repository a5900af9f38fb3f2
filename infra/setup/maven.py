"""What comes from Maven: jars of Spark and Kafka, Debezium, Postgres. Pinned in poms, checked by SHA-256."""

import hashlib
import platform
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from infra.paths import CACHE, CONNECT_PLUGINS, JARS, KAFKA, POSTGRES, ROOT
from infra.setup.building import Say, SetupError, Task, copy_cheaply, put_in_place, run, scratch_beside

POMS = ROOT / "infra" / "java"
PLATFORMS = {"x86_64": "linux-amd64", "aarch64": "linux-arm64v8"}


def tasks() -> list[Task]:
    makers: dict[str, tuple[str, Path, Callable[[Path, Say], None]]] = {
        "Spark's jars": ("lake-jars.xml", JARS, partial(_jars, JARS)),
        "Postgres": ("postgres.xml", POSTGRES / "bin" / "postgres", _postgres),
        "Kafka": ("kafka.xml", KAFKA, partial(_jars, KAFKA)),
        "Debezium": ("debezium.xml", CONNECT_PLUGINS, _debezium),
    }
    sums = (POMS / "sha256.txt").read_text()
    return [
        Task(name=name, target=target, inputs=(POMS / pom).read_text() + sums, make=partial(make, POMS / pom))
        for name, (pom, target, make) in makers.items()
    ]


def _jars(target: Path, pom: Path, say: Say) -> None:
    fetched = _fetch(pom, say)
    with scratch_beside(target) as scratch:
        (made := scratch / "jars").mkdir()
        for jar in fetched.glob("*.jar"):
            copy_cheaply(jar, made / jar.name)
        put_in_place(made, target)


def _debezium(pom: Path, say: Say) -> None:
    [archive] = _fetch(pom, say).glob("*.tar.gz")
    say("unpacking")
    with scratch_beside(CONNECT_PLUGINS) as scratch:
        (made := scratch / "plugins").mkdir()
        with tarfile.open(archive) as tar:
            tar.extractall(made)  # its SHA-256 is pinned; `filter` came only with Python 3.11.4
        put_in_place(made, CONNECT_PLUGINS)


def _postgres(pom: Path, say: Say) -> None:
    [jar] = _fetch(pom, say).glob("*.jar")
    say("unpacking")
    with scratch_beside(POSTGRES) as scratch, zipfile.ZipFile(jar) as archive:
        [inner] = [name for name in archive.namelist() if name.endswith(".txz")]
        archive.extract(inner, scratch)
        (made := scratch / "postgres").mkdir()
        with tarfile.open(scratch / inner) as tar:
            tar.extractall(made)  # its SHA-256 is pinned; `filter` came only with Python 3.11.4
        # Every user must get through: as root, the server runs as nobody.
        made.chmod(0o755)
        put_in_place(made, POSTGRES)


def _fetch(pom: Path, say: Say) -> Path:
    """The artifacts of a pom, from this user's cache or from Maven."""
    kind = PLATFORMS.get(platform.machine())
    if kind is None:
        raise SetupError(
            f"no Postgres binaries for {platform.machine()}: use the container stack (docker-compose.override.yml)"
        )
    key = hashlib.sha256((pom.read_text() + kind).encode()).hexdigest()[:12]
    target = CACHE / "java" / f"{pom.stem}-{key}"
    if not target.exists():
        say("fetching with Maven")
        with scratch_beside(target) as scratch:
            # A folder of its own as the project: Maven writes nothing into the clone.
            command = ["mvn", "-B", "-C", "-ntp", f"--file={pom}", f"-Dplatform={kind}", "dependency:copy-dependencies"]
            run([*command, f"-DoutputDirectory={scratch / 'made'}"], say, log=pom.stem)
            put_in_place(scratch / "made", target)
    _check(target)
    return target


def _check(folder: Path) -> None:
    known = {line.split()[1]: line.split()[0] for line in (POMS / "sha256.txt").read_text().splitlines()}
    for jar in folder.iterdir():
        found = hashlib.sha256(jar.read_bytes()).hexdigest()
        if jar.name in known and known[jar.name] != found:
            raise SetupError(f"{jar} has SHA-256 {found}, pinned is {known[jar.name]}: remove {folder} and try again")
