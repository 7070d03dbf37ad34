"""The checkpoint that ships with the project: trained on generated clips, for the demonstration."""

from __future__ import annotations

import shutil
from pathlib import Path

from model.network.checkpoint import Checkpoint

DEFAULT_MODEL = Path(__file__).parent.parent / "default" / "generated"


def copy_default_model(into: Path) -> str:
    """Copy the shipped checkpoint (`raw` front-end) to a directory of checkpoints; return its fingerprint."""
    fingerprint = Checkpoint.load(DEFAULT_MODEL).fingerprint
    for suffix in (".safetensors", ".json"):
        shutil.copyfile(DEFAULT_MODEL.with_suffix(suffix), into / f"{fingerprint}{suffix}")
    return fingerprint
