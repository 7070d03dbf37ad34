"""The description of the service in OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.schemas.problem import ProblemAnswer

PROBLEM = "application/problem+json"
Answers = dict[int | str, dict[str, Any]]
PROBLEMS: Answers = {
    "4XX": {"model": ProblemAnswer, "description": "A problem of what was asked, or of the load (docs/errors.md)"},
    "5XX": {"model": ProblemAnswer, "description": "A problem of the service (docs/errors.md)"},
}
TAGS = [
    {"name": "search", "description": "Ask by a sound, a picture, a video at a second, or a second of the library."},
    {"name": "library", "description": "The footage, its labels, previews and latents."},
    {"name": "jobs", "description": "Work that outlasts its request."},
    {"name": "measurement", "description": "How good the answers are."},
    {"name": "health", "description": "Is the process alive, does the line work, how busy is it?"},
]
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key of the service, where it needs one"},
    "basic": {"type": "http", "scheme": "basic", "description": "the key as the password, as browsers ask for it"},
}


UNCHANGED: Answers = {304: {"description": "What If-None-Match names is what is there"}}


def binary(*media_types: str, statuses: tuple[int, ...] = (200,)) -> Answers:
    """Describe an answer that is bytes."""
    content = {name: {"schema": {"type": "string", "format": "binary"}} for name in media_types}
    return {status: {"description": "The bytes", "content": content} for status in statuses}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function."""
    return route.name


class Described(FastAPI):
    """An application whose description is complete: summaries, problems, keys."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            for path in schema["paths"].values():
                for method, operation in path.items():
                    _complete(method, operation)
            schema["components"]["securitySchemes"] = SECURITY
            schema["security"] = [{name: []} for name in SECURITY] + [{}]
        assert self.openapi_schema is not None
        return self.openapi_schema


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Take the summary from the docstring's first line, and give problems their media type."""
    operation["summary"], _, rest = operation.pop("description").partition("\n")
    if rest.strip():
        operation["description"] = rest.strip()
    for status, response in operation["responses"].items():
        if method == "head":
            response.pop("content", None)
        elif status in PROBLEMS:
            response["content"] = {PROBLEM: response["content"]["application/json"]}
