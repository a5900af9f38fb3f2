"""What the OpenAPI document says of keys and limits: which requests need one, and what is answered without."""

from typing import Any

from serving.guarding import needed
from serving.openapi import problem_answers

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `mr_…`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key"},
}


def with_keys(document: dict[str, Any]) -> dict[str, Any]:
    """The document with both ways to send a key, and with the answers of the door at each request that needs one."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (right := needed(method.upper(), path)) is None:
                continue
            # JSON has no other keys than texts, and FastAPI has written its own so.
            late = (408,) if method == "post" else ()
            answers = {str(status): told for status, told in problem_answers(401, 403, *late, 429, 503).items()}
            operation["security"] = [{"bearer": []}, {"header": []}]
            operation["x-scope"] = right
            operation["responses"] = operation["responses"] | answers
    return document
