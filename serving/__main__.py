"""`python -m serving --port 8001`: one replica, with the limits and the end that `uvicorn serving.app:app` has not."""

import argparse

import uvicorn

from millrace.settings import Settings, get_settings
from serving.app import app
from serving.draining import Draining, DrainingServer
from serving.json_logs import log_everything_to_stdout
from serving.patience import ImpatientProtocol


def server(host: str, port: int, settings: Settings) -> DrainingServer:
    """The server of the application, not yet started."""
    protocol = type("Protocol", (ImpatientProtocol,), {"header_deadline_seconds": settings.header_deadline_seconds})
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        # A protocol that nobody here speaks is one that nobody can misuse.
        ws="none",
        limit_concurrency=settings.connections_at_most,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.drain_at_most_seconds,
        server_header=False,
        access_log=False,
        # Ours, set by the application: one line of JSON each.
        log_config=None,
    )
    draining: Draining = app.state.draining
    return DrainingServer(config, draining, settings.drain_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving", description="One replica of the serving API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    settings = get_settings()
    log_everything_to_stdout(settings.replica)
    server(asked.host, asked.port, settings).run()


if __name__ == "__main__":
    main()
