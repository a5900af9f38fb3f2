"""`python -m serving --port 8001`: one replica."""

import argparse

from millrace.settings import get_settings
from serving.json_logs import log_everything_to_stdout
from serving.server import server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving", description="One replica of the serving API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    settings = get_settings()
    log_everything_to_stdout(settings.replica)
    # Only now: what a library warns of while it is imported is a line of the log, too.
    from serving.app import app

    server(app, asked.host, asked.port, settings).run()


if __name__ == "__main__":
    main()
