"""JSON Schemas of the answers that tell stored predictions."""

from typing import Any

_NUMBER_OR_TEXT = {"type": ["string", "number", "boolean", "null"]}
_FACTOR = {
    "type": "object",
    "required": ["name", "value", "contribution"],
    "properties": {
        "name": {"type": "string"},
        "value": _NUMBER_OR_TEXT,
        "contribution": {"type": "number", "description": "In log-odds; above 0: towards the positive class"},
    },
}
_PROPERTIES: dict[str, Any] = {
    "prediction_id": {"type": "string", "format": "uuid"},
    "time": {"type": "string", "format": "date-time", "description": "When it was answered, as the id tells it"},
    "model_version": {"type": "integer"},
    "entity": {"type": ["string", "null"], "description": "The row's key, if the caller told it"},
    "features": {
        "type": "object",
        "additionalProperties": _NUMBER_OR_TEXT,
        "description": "The row as it was used, without sensitive columns",
    },
    "probability": {"type": "number", "minimum": 0, "maximum": 1},
    "risk_category": {"type": "string"},
    "decision": {"type": "boolean"},
    "contributing_factors": {"type": "array", "items": _FACTOR},
    "decided_by": {"type": "string"},
    "key_id": {"type": ["string", "null"], "description": "Id of the API key; `millrace keys list` names its client"},
    "latency_seconds": {"type": "number", "minimum": 0, "description": "Of the whole request"},
}
RECEIPT = {
    "type": "object",
    "required": ["version", "content_hash", "package", "training_run", "gold", "bronze", "trouble"],
    "properties": {
        "version": {"type": "integer"},
        "content_hash": {"type": ["string", "null"]},
        "package": {"type": ["string", "null"], "description": "Where the model package is"},
        "training_run": {"type": ["string", "null"]},
        "gold": {
            "type": ["object", "null"],
            "properties": {
                "table": {"type": "string"},
                "snapshot": {"type": ["string", "null"]},
                "tag": {"type": ["string", "null"]},
            },
        },
        "bronze": {
            "type": ["object", "null"],
            "properties": {
                "files": {"type": "array", "items": {"type": "string"}},
                "offsets": {"type": ["object", "null"], "description": "Of each topic, before which it is taken in"},
                "is_whole": {"type": "boolean", "description": "false: more files than are told may be behind it"},
            },
        },
        "trouble": {"type": ["string", "null"], "description": "Why something is null that should not be"},
    },
}
STORED: dict[str, Any] = {
    "type": "object",
    "required": [*_PROPERTIES, "receipt"],
    "properties": {**_PROPERTIES, "receipt": RECEIPT},
}
PAGE: dict[str, Any] = {
    "type": "object",
    "required": ["predictions", "next_cursor"],
    "properties": {
        "predictions": {
            "type": "array",
            "items": {"type": "object", "required": list(_PROPERTIES), "properties": _PROPERTIES},
        },
        "next_cursor": {"type": ["string", "null"], "description": "Send it as `cursor` for the next page"},
    },
}
