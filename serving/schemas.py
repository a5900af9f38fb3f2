"""What a served model tells of itself: its facts for people, and JSON Schemas of its requests for programs."""

import json
import re
from typing import Any

from millrace.contract.source import Column, ColumnType
from millrace.domain.package import GOLDEN
from serving.answers import model_block
from serving.bodies import MAX_ROWS
from serving.champion import InForce
from serving.request_models import LARGEST_INTEGER, RequestModel

JSON_TYPES: dict[ColumnType, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "timestamp": {"type": "string", "format": "date-time"},
}


def facts(served: InForce) -> dict[str, Any]:
    """The answer of GET /v1/models/{problem}: version, lineage, contract of the request, how answers are told."""
    problem = served.package.problem
    return {
        "model": model_block(served),
        "title": problem.title,
        "owner": problem.owner,
        "description": problem.description,
        "since": served.champion.moved_at.isoformat(),
        "loaded_at": served.loaded_at.isoformat(),
        "moved_by": served.champion.actor,
        "reason": served.champion.reason,
        "kind": served.package.manifest.model_kind,
        "columns": {
            n: c.model_dump(mode="json", exclude=_UNTOLD, exclude_none=True) for n, c in served.request.columns.items()
        },
        "rules": [rule.model_dump(mode="json") for rule in served.request.rules],
        "overrides": [override.model_dump(mode="json") for override in problem.overrides],
        "label": problem.label.model_dump(mode="json"),
        "threshold": problem.serving.threshold,
        "risk_bands": [band.model_dump(mode="json") for band in problem.serving.risk_bands],
        "lineage": served.package.manifest.provenance,
    }


_UNTOLD = {"sensitive", "update", "available"}


def request_schema(served: InForce) -> dict[str, Any]:
    """JSON Schema of the body of a request for one prediction."""
    return row_schema(served.request) | {"examples": [example(served)]}


def rows_schema(model: RequestModel) -> dict[str, Any]:
    """JSON Schema of the body of a request for many."""
    rows = {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": row_schema(model)}
    return {"type": "object", "additionalProperties": False, "required": ["rows"], "properties": {"rows": rows}}


def row_schema(model: RequestModel) -> dict[str, Any]:
    """JSON Schema of one row. Rules between columns are beyond JSON Schema, so words."""
    words = "; ".join(f"{rule.left} {rule.operator} {rule.right}" for rule in model.rules)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, column in model.columns.items() if not column.nullable],
        "properties": {name: _column_schema(model, name, column) for name, column in model.columns.items()}
        | {name: {"description": "Sensitive: taken, and dropped unread"} for name in sorted(model.unread)},
        **({"description": words} if words else {}),
    }


def example(served: InForce) -> dict[str, Any]:
    """A row that the model takes: the first golden one, which is synthetic."""
    golden = json.loads(served.package.files[GOLDEN])
    row: dict[str, Any] = golden[0]["row"] if golden else {}
    return row


def example_rows(served: InForce) -> dict[str, Any]:
    """Many rows that the model takes."""
    return {"rows": [example(served)]}


def _column_schema(model: RequestModel, name: str, column: Column) -> dict[str, Any]:
    value = JSON_TYPES[column.type] | {
        "minimum": column.min,
        "maximum": column.max,
        "enum": list(column.allowed) if column.allowed else None,
        # An inline flag such as (?i) is Python's and Java's, but not JSON Schema's.
        "pattern": f"^(?:{column.pattern})$"
        if column.pattern and not re.search(r"\(\?[a-zA-Z]", column.pattern)
        else None,
    }
    value = JSON_TYPES[column.type] | {key: told for key, told in value.items() if told is not None}
    nothing = sorted(model.nothing[name], key=str)
    if column.nullable:
        schema: dict[str, Any] = {"anyOf": [value, {"type": "null"}, {"enum": nothing, "title": "also means null"}]}
    elif column.type != "boolean" and (hidden := [n for n in nothing if _could_be(column, n)]):
        schema = value | {"not": {"enum": hidden}}
    else:
        schema = dict(value)
    words = [column.description, f"in {column.unit}" if column.unit else ""]
    return schema | ({"description": ", ".join(word for word in words if word)} if any(words) else {})


def _could_be(column: Column, nothing: str | float) -> bool:
    return isinstance(nothing, str) == (column.type in ("string", "timestamp"))
