"""The OpenAPI document: the routes, and one exact prediction operation for each champion in force."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.champion import Watch
from serving.refusals import DETAILS_SCHEMA, MEDIA_TYPE
from serving.schemas import example, example_rows, row_schema, rows_schema


def _whole(properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


PREDICT = "/v1/models/{problem}/predict"
PREDICT_MANY = "/v1/models/{problem}/predict/batch"
PREDICT_KEY = "/v1/models/{problem}/predict/by-key"

_VALUE = {"type": ["string", "number", "boolean", "null"]}
FACTOR: dict[str, Any] = _whole(
    {
        "name": {"type": "string", "description": "A column of the request"},
        "value": _VALUE,
        "contribution": {"type": "number", "description": "In log-odds; above 0: towards the positive class"},
    }
)
WARNING: dict[str, Any] = _whole(
    {
        "name": {"type": "string", "description": "A column of the request"},
        "kind": {"type": "string", "enum": ["outside_training_range", "unseen_category"]},
        "value": _VALUE,
        "expected": {"type": "string", "description": "What the training rows had"},
    }
)
MODEL: dict[str, Any] = _whole(
    {
        "problem": {"type": "string"},
        "version": {"type": "integer"},
        "generation": {"type": "integer", "description": "Rises with every change of the champion"},
        "content_hash": {"type": "string"},
        "gold_snapshot": {"type": ["string", "null"], "description": "The snapshot of gold that trained it"},
    }
)
_TOLD: dict[str, Any] = {
    "prediction_id": {"type": "string", "format": "uuid", "description": "A UUID of version 7: it tells its time"},
    "probability": {"type": "number", "minimum": 0, "maximum": 1, "description": "Calibrated"},
    "risk_category": {"type": "string", "description": "The contract's risk band of the probability"},
    "decision": {"type": "boolean", "description": "Whether the probability reaches the threshold"},
    "contributing_factors": {
        "type": "array",
        "items": FACTOR,
        "description": "What moved the prediction most, strongest first; none with `explain=false`",
    },
    "decided_by": {"type": "string", "description": "model, or the name of the override that decided"},
    "reason": {"type": ["string", "null"], "description": "Why the override exists"},
    "warnings": {"type": "array", "items": WARNING, "description": "Values that no training row was like"},
}
_OF_THE_MODEL = {"model_version": {"type": "integer"}, "model": MODEL}
ANSWER: dict[str, Any] = _whole({**_TOLD, **_OF_THE_MODEL})
KEY: dict[str, Any] = _whole(
    {"key": {"type": "object", "description": "Each column of the primary key, and nothing else"}}
) | {"additionalProperties": False}
KEY_ANSWER: dict[str, Any] = _whole(
    {
        **ANSWER["properties"],
        "entity": {"type": "string", "description": "The key as the lake has it"},
        "features_known_at": {"type": "string", "format": "date-time", "description": "Event time of the row"},
        "features_published_at": {"type": "string", "format": "date-time", "description": "When the warehouse got it"},
    }
)
_POSITION = {"row": {"type": "integer", "description": "Position in the request, from 0"}}
ROW: dict[str, Any] = _whole({**_POSITION, **_TOLD})
REFUSED_ROW: dict[str, Any] = _whole({**_POSITION, "errors": DETAILS_SCHEMA["properties"]["errors"]})
ANSWERS: dict[str, Any] = _whole(
    {
        "predictions": {"type": "array", "items": {"anyOf": [ROW, REFUSED_ROW]}},
        "rows_refused": {"type": "integer", "description": "Rows that break the contract, each with its errors"},
        **_OF_THE_MODEL,
    }
)
ANY_ROW: dict[str, Any] = {"type": "object"}
ANY_ROWS: dict[str, Any] = _whole({"rows": {"type": "array", "items": ANY_ROW}})
# Told here and read from the path, not declared as an argument: FastAPI would validate it anew at each request, and
# promise a 422 in a shape of its own.
PROBLEM: dict[str, Any] = {
    "name": "problem",
    "in": "path",
    "required": True,
    "description": "Name of the problem",
    "schema": {"type": "string"},
}
EXPLAIN: dict[str, Any] = {
    "name": "explain",
    "in": "query",
    "required": False,
    "description": "Whether contributing factors are told; without them an answer costs less",
    "schema": {"type": "boolean", "default": True},
}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these error statuses."""
    words = {
        400: "The body is not JSON",
        401: "No API key in force was sent",
        403: "The API key does not allow this",
        408: "The body came too slowly",
        404: "No such problem is served",
        409: "The row that the warehouse holds does not fit the model",
        405: "No such method here",
        413: "The body is too large",
        415: "The body is not said to be JSON",
        422: "Rows break the contract",
        429: "The API key sends too many rows",
        503: "Not ready",
    }
    return {s: {"description": words[s], "content": {MEDIA_TYPE: {"schema": DETAILS_SCHEMA}}} for s in statuses}


def openapi(app: FastAPI, watch: Watch) -> dict[str, Any]:
    """The document as of now: champions come and go while the replica runs."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for path, schema, sample in ((PREDICT, row_schema, example), (PREDICT_MANY, rows_schema, example_rows)):
        generic = document["paths"][path]["post"]
        for problem, served in watch.in_force.items():
            content = generic["requestBody"]["content"]
            exact = {**content, "application/json": {"schema": schema(served.request), "example": sample(served)}}
            title = served.package.problem.title
            document["paths"][path.format(problem=problem)] = {
                "post": {
                    **generic,
                    "parameters": [EXPLAIN],
                    "operationId": f"{'predict' if path == PREDICT else 'predict_batch'}_{problem}",
                    "summary": f"Predict {'one row' if path == PREDICT else 'many rows'}: {title}",
                    "description": served.package.problem.description,
                    "tags": [problem],
                    "requestBody": {"required": True, "content": exact},
                }
            }
    return document
