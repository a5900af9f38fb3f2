"""PostgreSQL: one server; a database and a role each for Airflow, MLflow, the Iceberg catalog and the warehouse."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from infra.paths import POSTGRES, short_folder
from infra.services.service import Launch, Service
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

DATABASES = ("airflow", "mlflow", "iceberg", "warehouse")
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def launch(settings: Settings) -> Launch:
    options = OPTIONS | {"port": str(settings.port("postgres"))}
    server = [str(binaries(settings) / "postgres"), "-D", str(data_folder(settings))]
    return Launch(
        argv=unprivileged(server) + [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    )


def prepare(settings: Settings) -> None:
    """Makes the data folder once: in a folder beside it, renamed when complete."""
    data = data_folder(settings)
    put_binaries_within_reach(settings)
    if (data / "PG_VERSION").exists():
        return
    data.parent.mkdir(parents=True, exist_ok=True)
    data.parent.chmod(0o711)
    half = Path(tempfile.mkdtemp(prefix="postgres-half-", dir=data.parent))
    password = half.with_suffix(".password")
    try:
        password.touch(mode=0o600)
        password.write_text(settings.postgres_password.get_secret_value())
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


def complete(settings: Settings) -> None:
    """Makes each role and its database, and sets the role's password to that of the env file."""
    with connect(settings) as connection:
        for name in DATABASES:
            password = getattr(settings, f"{name}_db_password").get_secret_value()
            role = sql.Identifier(name)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))


def waiting_for(settings: Settings) -> str | None:
    try:
        with connect(settings):
            return None
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise MillraceError(
                "Postgres refuses the password of the env file",
                place=str(data_folder(settings)),
                found="a database that was made with another env file",
                expected="the env file of the day the database was made",
                fix="put that file back, or let `make clean` remove the data and start anew",
            ) from error
        return str(error).strip().splitlines()[-1]


def data_folder(settings: Settings) -> Path:
    return _room(settings) / "postgres"


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


def put_binaries_within_reach(settings: Settings) -> None:
    """Copy the programs to where the user that the server runs as reaches them, where that is needed."""
    copy = binaries(settings).parent
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


def connect(settings: Settings) -> psycopg.Connection:
    """As the superuser, each statement a transaction of its own."""
    return psycopg.connect(
        host=settings.postgres_host,
        port=settings.port("postgres"),
        user="postgres",
        dbname="postgres",
        password=settings.postgres_password.get_secret_value(),
        autocommit=True,
        connect_timeout=3,
    )


SERVICE = Service(
    name="postgres",
    title="PostgreSQL 17",
    port="postgres",
    launch=launch,
    prepare=prepare,
    complete=complete,
    waiting_for=waiting_for,
    # SIGTERM would wait for every client to leave; SIGINT ends their sessions and shuts down cleanly.
    stop_signal="INT",
)
