"""Kafka Connect's REST interface, as far as connectors need it."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from millrace.contract.errors import MillraceError
from millrace.settings import Settings

USER = "millrace"
BUSY = 409
"""The worker is sharing out its tasks: to be asked again."""


def call(settings: Settings, method: str, path: str, body: object = None, *, timeout_seconds: float = 30) -> Any:
    """The answer to one request; None where there is none, and for what is not there.

    Raises:
        MillraceError: If the worker does not answer, or refuses.
    """
    password = settings.kafka_connect_password.get_secret_value()
    login = base64.b64encode(f"{USER}:{password}".encode()).decode()
    request = urllib.request.Request(
        settings.kafka_connect_url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Basic {login}"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        told = _told(error)
        # A page is not Connect's own answer: a worker that is starting knows no path yet.
        if error.code == http.client.NOT_FOUND and "error_code" in told and method in ("GET", "DELETE"):
            return None
        raise _refused(settings, method, path, error.code, str(told["message"])) from error
    except (OSError, http.client.HTTPException) as error:
        raise MillraceError(
            "Kafka Connect cannot be reached",
            place=settings.kafka_connect_url,
            found=str(error) or type(error).__name__,
            expected="an answer",
            fix="`make status` shows what runs, `make up` starts it, `make logs SERVICE=kafka_connect` says more",
        ) from error


def missing(settings: Settings) -> str | None:
    """In words, why the worker is not ready; None when it is. Its root answers before it has joined its group."""
    try:
        call(settings, "GET", "/connectors", timeout_seconds=5)
    except MillraceError as error:
        return f"{error.problem.removeprefix('Kafka Connect ')} ({error.found})"
    return None


def _told(error: urllib.error.HTTPError) -> dict[str, Any]:
    """What the worker says of an error, with `error_code`; where something else answers, its words as `message`."""
    words = error.read().decode(errors="replace")
    try:
        told = json.loads(words)
        return {"message": "", **told}
    except (ValueError, TypeError):
        return {"message": words[:300]}


def _refused(settings: Settings, method: str, path: str, code: int, words: str) -> MillraceError:
    return MillraceError(
        "Kafka Connect refuses a request" if code != BUSY else "Kafka Connect is sharing out its tasks",
        place=f"{method} {settings.kafka_connect_url}{path}",
        found=f"{code}: {words.strip()[:800]}",
        expected="success",
        fix="`make logs SERVICE=kafka_connect` says more",
    )
