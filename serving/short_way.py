"""The route that is asked most, reached without the router, which would take longer than the model does.

FastAPI keeps the route, for its OpenAPI document; here it is called as it would be there.
"""

import re
from collections.abc import Awaitable, Callable, Sequence

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.openapi import PREDICT
from serving.refusals import RefusedError, response

PATH = re.compile(PREDICT.replace("{problem}", "([^/]+)"))
GONE = 499
"""Nobody is there to read it; the status is for the log."""


def route_of(routes: Sequence[BaseRoute], path: str) -> APIRoute:
    """The route of a path, whose function can be called as the router would."""
    return next(one for one in routes if isinstance(one, APIRoute) and one.path == path)


class ShortWay:
    """ASGI middleware before the router: answers POST …/predict by the route's own function."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.route = route_of(routes, PREDICT)
        self.predict: Callable[[Request], Awaitable[Response]] = self.route.endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = PATH.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if asked is None:
            await self.app(scope, receive, send)
            return
        scope["path_params"], scope["route"] = {"problem": asked[1]}, self.route
        try:
            answer = await self.predict(Request(scope, receive))
        except RefusedError as error:
            answer = response(error)
        except ClientDisconnect:
            answer = Response(status_code=GONE)
        await answer(scope, receive, send)
