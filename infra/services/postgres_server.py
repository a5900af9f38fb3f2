"""A PostgreSQL server without root or a package manager: its data folder, its process, its superuser.

Two services are one each: the stack's own databases (`postgres.py`) and the operational one (`source_database.py`).
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from infra.paths import POSTGRES, ROOT, short_folder
from infra.services.service import Launch
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

HBA = ROOT / "infra" / "pg_hba.conf"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "jit": "off",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server. `name` is its service, its port (a key of `STANDARD_PORTS`) and its data folder."""

    name: str
    options: dict[str, str]
    host: Callable[[Settings], str]
    password: Callable[[Settings], str]


def launch(server: Server, settings: Settings) -> Launch:
    options = OPTIONS | server.options | {"port": str(settings.port(server.name))}
    command = [str(binaries(settings) / "postgres"), "-D", str(data_folder(server, settings))]
    return Launch(
        argv=unprivileged(command) + [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    )


def prepare(server: Server, settings: Settings) -> None:
    """Makes the data folder once: in a folder beside it, renamed when complete. Says anew who may connect."""
    data = data_folder(server, settings)
    put_binaries_within_reach(settings)
    if not (data / "PG_VERSION").exists():
        _make(server, settings, data)
    # A data folder of an earlier version says otherwise.
    (data / HBA.name).write_text(HBA.read_text())


def _make(server: Server, settings: Settings, data: Path) -> None:
    data.parent.mkdir(parents=True, exist_ok=True)
    data.parent.chmod(0o711)
    half = Path(tempfile.mkdtemp(prefix=f"{server.name}-half-", dir=data.parent))
    password = half.with_suffix(".password")
    try:
        password.touch(mode=0o600)
        password.write_text(server.password(settings))
        for path in (half, password):
            give_away(path)
        initdb = [str(binaries(settings) / "initdb"), "-D", str(half), "-U", "postgres", "-A", "scram-sha-256"]
        initdb += [f"--pwfile={password}", "--encoding=UTF8", "--no-locale", "--data-checksums"]
        quiet = {"PATH": os.defpath}
        done = subprocess.run(unprivileged(initdb), check=False, capture_output=True, text=True, cwd="/", env=quiet)
        if done.returncode != 0:
            raise MillraceError(
                "initdb failed",
                place=str(data),
                found=(done.stderr or done.stdout).strip()[-600:],
                expected="an empty data folder",
                fix="run `make doctor`; as root, the user nobody must be able to reach the folder",
            )
        shutil.rmtree(data, ignore_errors=True)
        half.rename(data)
    finally:
        password.unlink(missing_ok=True)
        shutil.rmtree(half, ignore_errors=True)


def waiting_for(server: Server, settings: Settings) -> str | None:
    try:
        with connect(server, settings):
            return None
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise MillraceError(
                "Postgres refuses the password of the env file",
                place=str(data_folder(server, settings)),
                found="a database that was made with another env file",
                expected="the env file of the day the database was made",
                fix="put that file back, or let `make clean` remove the data and start anew",
            ) from error
        return str(error).strip().splitlines()[-1]


def data_folder(server: Server, settings: Settings) -> Path:
    return _room(settings) / server.name


def outside_room(settings: Settings) -> Path:
    """Where the data goes when root's state folder is not reachable for the user nobody (a clone below /root, say)."""
    return Path("/var/tmp") / short_folder(settings.home).name


def _room(settings: Settings) -> Path:
    if os.getuid() != 0 or (_reachable(settings.home) and _reachable(POSTGRES)):
        return settings.home
    return outside_room(settings)


def _reachable(folder: Path) -> bool:
    """May every user pass through what exists of this path?"""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents) if part.exists())


def binaries(settings: Settings) -> Path:
    """The folder of the server's programs, where the user that it runs as reaches them."""
    room = _room(settings)
    return (POSTGRES if room == settings.home else room / "postgres-17") / "bin"


_COPYING = threading.Lock()


def put_binaries_within_reach(settings: Settings) -> None:
    """Copy the programs to where the user that the server runs as reaches them, where that is needed."""
    copy = binaries(settings).parent
    # Two servers are prepared at once.
    with _COPYING:
        if copy == POSTGRES or copy.exists():
            return
        half = copy.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(POSTGRES, half, symlinks=True)
        half.parent.chmod(0o711)
        half.rename(copy)


def unprivileged(command: list[str]) -> list[str]:
    """Postgres refuses to run as root: then it runs as nobody."""
    if os.getuid() != 0:
        return command
    nobody = pwd.getpwnam("nobody")
    return [
        "setpriv",
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        "--no-new-privs",
        *command,
    ]


def give_away(path: Path) -> None:
    """Give a path to the user that the server runs as."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def connect(server: Server, settings: Settings, database: str = "postgres") -> psycopg.Connection:
    """As the superuser, each statement a transaction of its own."""
    return psycopg.connect(
        host=server.host(settings),
        port=settings.port(server.name),
        user="postgres",
        dbname=database,
        password=server.password(settings),
        autocommit=True,
        connect_timeout=3,
    )


def ensure_role(connection: psycopg.Connection, name: str, password: str, *, replication: bool = False) -> None:
    """Makes a role that may log in, and sets its password to that of the env file."""
    role = sql.Identifier(name)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    rights = sql.SQL("REPLICATION" if replication else "NOREPLICATION")
    connection.execute(sql.SQL("ALTER ROLE {} {} PASSWORD {}").format(role, rights, sql.Literal(password)))


def ensure_database(connection: psycopg.Connection, name: str, *, owner: str) -> None:
    """Makes a database that only its owner, and whoever is let in, may enter."""
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return
    database = sql.Identifier(name)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(owner)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
