"""For clients of services that had one model: their paths, for the default problem, answered in the shape they know.

The answer is that of POST /v1/models/{problem}/predict, told in other words, so that whatever is checked, counted and
kept of a prediction is so here too. A refusal has the shape that it has everywhere.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json, to_json
from starlette.routing import BaseRoute

from serving.bodies import JSON
from serving.champion import InForce, Watch
from serving.openapi import ANY_ROW, PREDICT, problem_answers
from serving.prediction_routes import FILTERS
from serving.refusals import RefusedError
from serving.short_way import route_of

Ask = Callable[[Request], Awaitable[Response]]

NUMBER_BITS = 53
"""As many as a number of JavaScript keeps."""

ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["probability", "risk_category", "contributing_factors", "prediction_id"],
    "properties": {
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "risk_category": {"type": "string"},
        "contributing_factors": {"type": "array", "items": {"type": "string"}, "description": "Names, strongest first"},
        "prediction_id": {
            "type": "integer",
            "description": "The last 53 bits of the prediction's UUID: its random bits, no count",
        },
    },
}
LISTING: dict[str, Any] = {
    "type": "object",
    "required": ["predictions", "next_cursor"],
    "properties": {
        "predictions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [*ANSWER["required"], "time"],
                "properties": {**ANSWER["properties"], "time": {"type": "string", "format": "date-time"}},
            },
        },
        "next_cursor": {"type": ["string", "null"], "description": "Send it as `cursor` for the next page"},
    },
}


def older_clients(watch: Watch, routes: Sequence[BaseRoute], default_problem: str) -> APIRouter:
    """The routes of older clients.

    Args:
        routes: Those of the application, of which two are asked.
        default_problem: Which problem is meant; empty: the only one that is served.
    """
    router = APIRouter(tags=["older clients"], deprecated=True)
    predict: Ask = route_of(routes, PREDICT).endpoint
    listing: Ask = route_of(routes, "/v1/models/{problem}/predictions").endpoint

    def of_the_default_problem(request: Request) -> Request:
        request.scope["path_params"] = {"problem": meant(watch, default_problem).champion.problem}
        return request

    async def predict_as_before(request: Request) -> Response:
        told = from_json(bytes((await predict(of_the_default_problem(request))).body))
        return Response(to_json(in_older_words(told)), media_type=JSON)

    for path in ("/predict", "/api/v1/predict"):
        router.add_api_route(
            path,
            predict_as_before,
            methods=["POST"],
            summary="Predict one row of the default problem",
            responses={
                200: {"description": "Its prediction, in fewer words", "content": {JSON: {"schema": ANSWER}}},
                **problem_answers(400, 404, 413, 415, 422, 503),
            },
            openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": ANY_ROW}}}},
            response_class=Response,
        )

    @router.get(
        "/model_info",
        summary="The champion of the default problem",
        responses=problem_answers(404),
        response_class=Response,
    )
    async def model_info() -> Response:
        return Response(to_json(_model_info(meant(watch, default_problem))), media_type=JSON)

    @router.get(
        "/predictions",
        summary="Stored predictions of the default problem, the newest first",
        responses={
            200: {"description": "A page", "content": {JSON: {"schema": LISTING}}},
            **problem_answers(404, 422, 503),
        },
        openapi_extra={"parameters": FILTERS},
        response_class=Response,
    )
    async def predictions(request: Request) -> Response:
        told = from_json(bytes((await listing(of_the_default_problem(request))).body))
        told["predictions"] = [in_older_words(one) | {"time": one["time"]} for one in told["predictions"]]
        return Response(to_json(told), media_type=JSON)

    return router


def meant(watch: Watch, default_problem: str) -> InForce:
    """The champion that is meant where no problem is named.

    Raises:
        RefusedError: 404 if the default problem is not served, or none is set and not exactly one is served.
    """
    in_force = watch.in_force
    if default_problem in in_force:
        return in_force[default_problem]
    if not default_problem and len(in_force) == 1:
        return next(iter(in_force.values()))
    raise RefusedError(
        404,
        "No problem is the default one",
        found=f"{', '.join(sorted(in_force)) or 'nothing'} in force",
        expected=f"{default_problem}, as MILLRACE_DEFAULT_PROBLEM says" if default_problem else "exactly one problem",
        fix="ask POST /v1/models/{problem}/predict, or set MILLRACE_DEFAULT_PROBLEM and start the replicas anew",
    )


def in_older_words(told: dict[str, Any]) -> dict[str, Any]:
    """The answer to one row, as services with one model gave it."""
    return {
        "probability": told["probability"],
        "risk_category": told["risk_category"],
        "contributing_factors": [factor["name"] for factor in told["contributing_factors"]],
        "prediction_id": as_number(UUID(told["prediction_id"])),
    }


def as_number(prediction: UUID) -> int:
    """The integer by which older clients know a prediction: the last 53 bits of its UUIDv7.

    32 of them are drawn anew for each id, 21 are the end of the count within a millisecond, which begins at random. So
    two ids of one process and millisecond differ, and any two others are equal once in 2**53: among a million
    predictions two are with a chance of 1 in 18,000, among ten million with 1 in 180.
    """
    return prediction.int & ((1 << NUMBER_BITS) - 1)


def _model_info(served: InForce) -> dict[str, Any]:
    problem, champion = served.package.problem, served.champion
    return {
        "model_name": champion.problem,
        "model_version": champion.version,
        "algorithm": served.package.manifest.model_kind,
        "features": list(served.request.columns),
        "threshold": problem.serving.threshold,
        "risk_categories": [band.name for band in problem.serving.risk_bands],
        "in_force_since": champion.moved_at.isoformat(),
    }
