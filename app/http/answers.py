"""Answers as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response

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
