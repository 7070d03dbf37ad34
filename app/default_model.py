"""The checkpoint that ships with the project: trained on generated clips, for the demonstration."""

from __future__ import annotations

from pathlib import Path

from model.checkpoint import Checkpoint

DEFAULT_MODEL = Path(__file__).parent / "default" / "generated"


def default_checkpoint() -> Checkpoint:
    """Load the shipped checkpoint (`raw` front-end)."""
    return Checkpoint.load(DEFAULT_MODEL)
