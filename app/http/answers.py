"""Answers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response
from pydantic_core import to_json

from app.schemas.answering import Answering


def written(answer: Answering | Sequence[Answering]) -> Response:
    """Write an answer as JSON, in the caller's thread.

    The framework would check a plain return value again and write it on the event loop, where a large answer blocks
    every other request.
    """
    if isinstance(answer, Answering):
        body = answer.model_dump_json()
    else:
        body = f"[{','.join(one.model_dump_json() for one in answer)}]"
    return Response(body, media_type="application/json")


def written_as_it_is(contents: Mapping[str, Any]) -> Response:
    """Write what an answer's model would hold, in the model's order, unchecked; NaN becomes null as it does there."""
    return Response(to_json(contents, inf_nan_mode="null"), media_type="application/json")
