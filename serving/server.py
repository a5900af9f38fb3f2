"""The server of a replica: uvicorn, with the limits and the end that it has not by itself."""

import uvicorn
from fastapi import FastAPI

from millrace.settings import Settings
from serving.draining import DrainingServer
from serving.patience import ImpatientProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than a proxy before it keeps an idle connection, so that the proxy is the one that closes it."""


def server(app: FastAPI, host: str, port: int, settings: Settings) -> DrainingServer:
    """The server of an application, not yet started."""
    limits = {"header_deadline_seconds": settings.header_deadline_seconds}
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=type("Protocol", (ImpatientProtocol,), limits),
        # A protocol that nobody here speaks is one that nobody can misuse.
        ws="none",
        limit_concurrency=settings.connections_at_most,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_at_most_seconds,
        server_header=False,
        access_log=False,
        # Ours: one line of JSON each.
        log_config=None,
    )
    return DrainingServer(config, app.state.draining, settings.drain_seconds)
