"""All databases at one moment, as files: Postgres's own base backup, while it goes on working.

The server's programs come without pg_dump and pg_basebackup, so this does what the latter does: copy the files between
pg_backup_start and pg_backup_stop, then the log that makes them consistent.
https://www.postgresql.org/docs/17/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
"""

import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import LiteralString

import psycopg

from infra.services import postgres, postgres_server
from millrace.contract.errors import MillraceError
from millrace.settings import Settings

# Of this very process, or made anew at each start.
LEFT_OUT = {"postmaster.pid", "postmaster.opts", "pg_internal.init"}
EMPTIED = {"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}
WAL = "pg_wal"


def copy(settings: Settings, file: Path) -> str:
    """Write the data folder to a tar file; returns the server's major version.

    Raises:
        MillraceError: If more log was written meanwhile than the server keeps for one reader.
    """
    try:
        return _copy(settings, file)
    except psycopg.OperationalError as error:
        # Its slot is taken away by ending the connection.
        raise MillraceError(
            "The backup is not whole",
            place=f"Postgres, {postgres.data_folder(settings)}",
            found=str(error).strip().splitlines()[0],
            expected=f"at most {postgres.SERVER.options['max_slot_wal_keep_size']} of log while the files are copied",
            fix="`make backup` again, when less is written",
        ) from error


def _copy(settings: Settings, file: Path) -> str:
    data = postgres.data_folder(settings)
    with postgres.connect(settings) as server, tarfile.open(file, "w") as tar:
        # Gone with this connection; until then no log that is needed is recycled.
        server.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", [f"backup_{os.getpid()}"])
        first = _one(server, "SELECT pg_walfile_name(pg_backup_start('millrace', true))")
        for path in sorted(data.rglob("*")):
            if _belongs(path.relative_to(data)):
                _add(tar, path, str(path.relative_to(data)))
        stopped = server.execute(
            "SELECT pg_walfile_name(lsn), labelfile FROM pg_backup_stop(wait_for_archive => false)"
        ).fetchone()
        assert stopped is not None
        last, label = stopped
        told = tarfile.TarInfo("backup_label")
        told.size = len(label.encode())
        tar.addfile(told, io.BytesIO(label.encode()))
        for path in sorted((data / WAL).iterdir()):
            if path.suffix == ".history" or first <= path.name <= last:
                _add(tar, path, f"{WAL}/{path.name}")
        # Answers only if the slot was there until the last file of the log was copied.
        server.execute("SELECT 1")
    return (data / "PG_VERSION").read_text().strip()


def put_back(settings: Settings, file: Path) -> None:
    """Make the data folder from a tar file, with the superuser's password of the env file.

    Raises:
        MillraceError: If the server cannot read it.
    """
    data = postgres.data_folder(settings)
    postgres_server.put_binaries_within_reach(settings)
    data.parent.mkdir(parents=True, exist_ok=True)
    data.parent.chmod(0o711)
    with tempfile.TemporaryDirectory(prefix="postgres-half-", dir=data.parent) as folder:
        half = Path(folder) / "data"
        Path(folder).chmod(0o711)
        half.mkdir(mode=0o700)
        with tarfile.open(file) as tar:
            tar.extractall(half, filter="data")
        for path in (half, *half.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
            postgres_server.give_away(path)
        _set_password(settings, half)
        half.rename(data)


def _set_password(settings: Settings, data: Path) -> None:
    """Start the server for one statement, without a port; it first brings the files to the moment of the backup."""
    password = settings.postgres_password.get_secret_value().replace("'", "''")
    single = [str(postgres_server.binaries(settings) / "postgres"), "--single", "-D", str(data), "postgres"]
    done = subprocess.run(
        postgres_server.unprivileged(single),
        check=False,
        input=f"ALTER ROLE postgres PASSWORD '{password}'\n",
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.defpath},
    )
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise MillraceError(
            "Postgres cannot read the restored files",
            place=str(data),
            found=done.stderr.strip()[-600:],
            expected="a server that starts",
            fix="`make setup` brings the Postgres of this version; else take another backup",
        )


def _belongs(path: Path) -> bool:
    if path.name in LEFT_OUT or path.name.startswith("pgsql_tmp"):
        return False
    return path.parts[0] not in (*EMPTIED, WAL) or len(path.parts) == 1 or path.parts == (WAL, "archive_status")


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add one file or folder. A table that is dropped meanwhile is no loss: the log tells of it."""
    try:
        told = tar.gettarinfo(path, name)
        if not told.isreg():
            tar.addfile(told)
            return
        with path.open("rb") as file:
            tar.addfile(told, _Filled(file, told.size))  # type: ignore[arg-type]  # only read() is used
    except FileNotFoundError:
        return


class _Filled:
    """So many bytes of a file. One that got shorter is filled with zeros: the log cuts it again."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        wanted = min(size, self.left)
        self.left -= wanted
        return self.file.read(wanted).ljust(wanted, b"\0")


def _one(server: psycopg.Connection, query: LiteralString) -> str:
    found = server.execute(query).fetchone()
    assert found is not None
    return str(found[0])
