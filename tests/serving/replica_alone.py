"""`uvicorn --factory tests.serving.replica_alone:app`: a replica with the real store, and one champion from a folder.

It imports nothing that fits models: that takes longer than a start may.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from millrace.adapters.champions import Champion
from millrace.domain.package import content_hash
from millrace.settings import get_settings
from serving.app import create_app
from serving.champion import Watch
from serving.storing import SpooledStore
from serving.warm_up import warm_up
from tests.serving.a_key import ring_of

PACKAGE = "TEST_PACKAGE_FOLDER"


def app() -> FastAPI:
    files = {path.name: path.read_bytes() for path in Path(os.environ[PACKAGE]).iterdir()}
    uri, digest, now = "s3://models/diabetes/packages/7/", content_hash(files), datetime.now(UTC)
    champion = Champion("diabetes", 7, uri, digest, 1, None, "test", "because", now, None)
    settings = get_settings()
    watch = Watch(
        "replica",
        champions=lambda: [champion],
        fetch=lambda _uri: files,
        report=lambda *_, **__: None,
        history=lambda _problem: [],
        warm_up=warm_up,
        cache=settings.packages_of("replica"),
    )
    watch.look()
    return create_app(watch, ring_of(), store=SpooledStore(settings), read_row=lambda _problem, _key: None)
