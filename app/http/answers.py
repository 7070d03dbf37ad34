"""How an answer is written out."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response

from app.schemas.answering import Answering


def written(answer: Answering | Sequence[Answering]) -> Response:
    """Write an answer out in the caller's thread.

    What a route returns unwritten is checked once more and written on the event loop, where a large answer stops
    everything else.
    """
    if isinstance(answer, Answering):
        body = answer.model_dump_json()
    else:
        body = f"[{','.join(one.model_dump_json() for one in answer)}]"
    return Response(body, media_type="application/json")
