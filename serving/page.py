"""The page at `/` to try a prediction. Static files: the form is made in the browser of what the API tells.

Whoever asks for JSON (as curl and most clients do, which take anything) gets a message there, browsers get the page.
"""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from serving.champion import Watch

FILES = Path(__file__).parent / "page_files"
KINDS = {"page.css": "text/css", "page.js": "text/javascript", "page.svg": "image/svg+xml"}
HTML = "text/html"

HEADERS = {
    # Nothing but our own files, no script or style in the HTML, no frame around it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Kept, but asked for each time: after an update, page and script are of one version.
    "Cache-Control": "no-cache",
}


def page(watch: Watch) -> APIRouter:
    """The routes of the page. Outside the OpenAPI document, for no program needs them."""
    router = APIRouter(include_in_schema=False)
    html = (FILES / "page.html").read_bytes()

    @router.get("/")
    async def root(request: Request) -> Response:
        if not wants_html(request.headers.get("accept", "")):
            served = ", ".join(sorted(watch.in_force)) or "no problem yet"
            content = to_json(
                {"message": f"Millrace serves {served}. /docs shows the API, /readyz the replica's state."}
            )
            return Response(content, media_type="application/json", headers={"Vary": "Accept"})
        return _sent(request, html, HTML)

    for name, kind in KINDS.items():
        router.add_api_route(f"/page/{name}", _file((FILES / name).read_bytes(), kind), methods=["GET"])
    return router


def wants_html(accept: str) -> bool:
    """Whether an Accept header prefers HTML to JSON. Only naming it does: `*/*` and no header mean JSON."""
    html, json = 0.0, 0.0
    for one in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        weight = _weight(parameters)
        if kind in (HTML, "application/xhtml+xml"):
            html = max(html, weight)
        elif kind == "application/json":
            json = max(json, weight)
    return html > json


def _weight(parameters: list[str]) -> float:
    said = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
    try:
        return float(said)
    except ValueError:
        return 0.0


def _file(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def file(request: Request) -> Response:
        return _sent(request, content, kind)

    return file


def _sent(request: Request, content: bytes, kind: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": tag, "Vary": "Accept"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
