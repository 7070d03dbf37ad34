"""What every error is written as (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel


class ProblemAnswer(BaseModel):
    """An error (RFC 9457): `type` leads to what the stable `code` means, `detail` says what to do here."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
