"""What every answer is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answering(BaseModel):
    """Be frozen, and closed to what is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")
