"""The two modalities that a second of footage may have."""

from __future__ import annotations

from typing import Literal

Modality = Literal["audio", "visual"]
MODALITIES: tuple[Modality, Modality] = ("audio", "visual")
