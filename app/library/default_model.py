"""The model that a library begins with: by front-end, before anything was learnt from its own footage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from index.disk import writing
from index.library import Library
from model.frontends.frontend import FrontEnd
from model.frontends.names import OF_DRAWN_CLIPS
from model.network.checkpoint import Checkpoint

DEFAULT_MODEL = Path(__file__).parent.parent / "default" / "generated"


def begin(library: Library, front_end: FrontEnd) -> str | None:
    """Put the first model of a front-end into a library; return its fingerprint, None where there is no such model.

    `raw` has the shipped one, which knows drawn clips alone.
    """
    if front_end.name == OF_DRAWN_CLIPS:
        return _copy_default_model(library.checkpoints)
    return None


def _copy_default_model(into: Path) -> str:
    fingerprint = Checkpoint.load(DEFAULT_MODEL).fingerprint
    for suffix in (".safetensors", ".json"):
        partial = into / f"{fingerprint}{suffix}.partial"
        with writing(into):
            shutil.copyfile(DEFAULT_MODEL.with_suffix(suffix), partial)
            os.replace(partial, into / f"{fingerprint}{suffix}")  # in one step: it may be serving
    return fingerprint
