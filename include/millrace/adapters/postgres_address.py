"""The address of a Postgres, for connections that must not hang with a host that vanished."""

from psycopg.conninfo import make_conninfo


def noticing(dsn: str) -> str:
    """A libpq address whose connections end within seconds after their host vanished, not after many minutes."""
    return make_conninfo(dsn, keepalives_idle=5, keepalives_interval=2, keepalives_count=3, tcp_user_timeout=10_000)
