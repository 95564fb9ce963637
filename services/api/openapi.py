"""The API's description of its errors: problem details, not what the framework would say by itself."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from services.api.problems import MEDIA_TYPE, TYPE_BASE

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Problem details (RFC 9457)",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "example": TYPE_BASE + "invalid-query"},
        "title": {"type": "string", "example": "The query is not right"},
        "status": {"type": "integer", "example": 400},
        "detail": {"type": "string", "example": "unknown field `user.nam` at position 0; did you mean `user.name`?"},
        "position": {"type": "integer", "description": "Where in the query, from 0", "example": 0},
        "index": {"type": "integer", "description": "Whose claims of a batch, from 0", "example": 3},
    },
}
_FRAMEWORKS: Final = ("HTTPValidationError", "ValidationError")


def describe_errors(app: FastAPI) -> None:
    """Makes every operation of `/openapi.json` say that its errors are problem details."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = describe()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for name in _FRAMEWORKS:
                schemas.pop(name, None)
            schemas["Problem"] = _PROBLEM
            answer = {"description": "Problem details", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
            for path in schema["paths"].values():
                for operation in path.values():
                    responses = operation["responses"]
                    if "HTTPValidationError" in str(responses.get("422")):
                        del responses["422"]
                    responses["4XX"] = responses["5XX"] = answer
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
