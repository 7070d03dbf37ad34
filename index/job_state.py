"""The states that a job goes through."""

from __future__ import annotations

from typing import Literal

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
