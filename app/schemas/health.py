"""What /health answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.schemas.answering import Answering


class HealthAnswer(Answering):
    """`ready` has been through model and index just now, in `canary_ms`."""

    status: Literal["live", "ready"]
    fingerprint: str | None = None
    catalogue_version: int | None = None
    device: str | None = Field(None, description="what computed last: `cpu`, or `cuda` and the name of the card")
    canary_ms: float | None = None
    lacks: list[str] = Field(
        [], description="what the library needs before it can answer, each with what to do; it is healthy all the same"
    )
