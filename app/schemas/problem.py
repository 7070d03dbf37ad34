"""What every error is written as (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel


class ProblemAnswer(BaseModel):
    """An error (RFC 9457); `code` is stable, `detail` says what was given, what was expected, what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str
