"""The OpenAPI document: the routes, and one exact prediction operation for each champion in force."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.champion import Watch
from serving.refusals import DETAILS_SCHEMA, MEDIA_TYPE
from serving.schemas import example, request_schema

PREDICT = "/v1/models/{problem}/predict"

_FACTOR = {
    "type": "object",
    "required": ["column", "value", "contribution"],
    "properties": {
        "column": {"type": "string"},
        "value": {"type": ["string", "number", "boolean", "null"]},
        "contribution": {"type": "number", "description": "In log-odds; above 0: towards the positive class"},
    },
}
_PREDICTION = {
    "type": "object",
    "required": ["prediction_id", "probability", "risk", "positive", "factors", "decided_by", "reason"],
    "properties": {
        "prediction_id": {"type": "string", "format": "uuid"},
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "risk": {"type": "string", "description": "The risk band of the probability"},
        "positive": {"type": "boolean", "description": "Whether the probability reaches the threshold"},
        "factors": {
            "type": "array",
            "items": _FACTOR,
            "description": "What moved the prediction most, strongest first",
        },
        "decided_by": {"type": "string", "description": "model, or the name of the override that decided"},
        "reason": {"type": ["string", "null"], "description": "Why the override exists"},
    },
}
_MODEL = {
    "type": "object",
    "required": ["problem", "version", "generation", "content_hash", "gold_snapshot"],
    "properties": {
        "problem": {"type": "string"},
        "version": {"type": "integer"},
        "generation": {"type": "integer", "description": "Rises with every change of the champion"},
        "content_hash": {"type": "string"},
        "gold_snapshot": {"type": ["string", "null"], "description": "The snapshot of gold that trained it"},
    },
}
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["predictions", "model"],
    "properties": {"predictions": {"type": "array", "items": _PREDICTION}, "model": _MODEL},
}
ANY_ROWS: dict[str, Any] = {
    "type": "object",
    "required": ["rows"],
    "properties": {"rows": {"type": "array", "items": {"type": "object"}}},
}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these error statuses."""
    words = {
        400: "The body is not JSON",
        404: "No such problem is served",
        405: "No such method here",
        413: "The body is too large",
        415: "The body is not said to be JSON",
        422: "Rows break the contract",
        503: "Not ready",
    }
    return {s: {"description": words[s], "content": {MEDIA_TYPE: {"schema": DETAILS_SCHEMA}}} for s in statuses}


def openapi(app: FastAPI, watch: Watch) -> dict[str, Any]:
    """The document as of now: champions come and go while the replica runs."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    generic = document["paths"][PREDICT]["post"]
    for problem, served in watch.in_force.items():
        body = {"schema": request_schema(served), "example": example(served)}
        document["paths"][PREDICT.format(problem=problem)] = {
            "post": {
                **{key: told for key, told in generic.items() if key != "parameters"},
                "operationId": f"predict_{problem}",
                "summary": f"Predict: {served.package.problem.title}",
                "description": served.package.problem.description,
                "tags": [problem],
                "requestBody": {"required": True, "content": {"application/json": body}},
            }
        }
    return document
