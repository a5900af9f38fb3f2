"""What the serving benchmark loads: a replica as the stack starts it, and beside it a route that does nothing.

`python -m benchmarks.serving_apps replica` is `python -m serving` over the package in the folder that
MILLRACE_BENCH_PACKAGE names, in place of Postgres and MinIO: what only the training imports is not in its memory. With
`nothing`, the same server has one route that reads the body and answers a constant. Both find a free port.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from millrace.settings import get_settings
from serving.draining import Draining
from serving.json_logs import log_everything_to_stdout
from serving.server import server

CONSTANT = b'{"probability":0.5}'
PACKAGE = "MILLRACE_BENCH_PACKAGE"


def replica() -> FastAPI:
    """One problem in force; logs and spool as in the stack, but a database that takes everything at once."""
    from millrace.adapters.champions import Champion
    from millrace.domain.package import content_hash
    from serving.app import create_app
    from serving.champion import Watch
    from serving.storing import SpooledStore
    from serving.warm_up import warm_up
    from tests.serving.a_key import ring_of

    files = {path.name: path.read_bytes() for path in Path(os.environ[PACKAGE]).iterdir()}
    champion = Champion(
        "loan", 1, "s3://bench", content_hash(files), 1, None, "bench", "measured", datetime.now(UTC), None
    )
    settings = get_settings()
    watch = Watch(
        "bench",
        champions=lambda: [champion],
        fetch=lambda _uri: files,
        report=lambda *_, **__: None,
        history=lambda _problem: [],
        warm_up=warm_up,
        cache=settings.packages_of("bench"),
    )
    watch.look()
    return create_app(
        watch, ring_of(), store=SpooledStore(settings, takes_everything), read_row=lambda _name, _key: None
    )


def takes_everything() -> AbstractContextManager[Callable[[Sequence[Any]], None]]:
    """A database that takes everything at once."""
    return nullcontext(lambda _requests: None)


def nothing() -> FastAPI:
    """One route that reads the body and answers a constant."""
    app = FastAPI()
    app.state.draining = Draining()

    @app.post("/nothing", response_class=Response)
    async def answer(request: Request) -> Response:
        await request.body()
        return Response(CONSTANT, media_type="application/json")

    return app


def main() -> None:
    settings = get_settings()
    log_everything_to_stdout(settings.replica)
    app = {"replica": replica, "nothing": nothing}[sys.argv[1]]()
    server(app, "127.0.0.1", 0, settings).run()


if __name__ == "__main__":
    main()
