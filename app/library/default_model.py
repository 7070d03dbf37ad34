"""The model that a library begins with: by front-end, before anything was learnt from its own footage."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from index.disk import writing
from index.library import Library
from model.frontends.frontend import FrontEnd
from model.frontends.names import OF_DRAWN_CLIPS, OF_REAL_FOOTAGE
from model.modality import Modality
from model.network.checkpoint import Checkpoint

DEFAULT_MODEL = Path(__file__).parent.parent / "default" / "generated"


def begin(library: Library, front_end: FrontEnd) -> str | None:
    """Put the first model of a front-end into a library; return its fingerprint, None where there is no such model.

    `raw` has the shipped one, which knows drawn clips alone. A front-end with a prior, or whose modalities share a
    space, has a starting model.
    """
    if front_end.name == OF_DRAWN_CLIPS:
        return _copy_default_model(library.checkpoints)
    first = first_model(front_end)
    if first is None:
        return None
    fingerprint = first.fingerprint
    with writing(library.checkpoints):
        first.save(library.checkpoints / fingerprint)
    return fingerprint


def first_model(front_end: FrontEnd) -> Checkpoint | None:
    """Return the starting model of a front-end; None for one that knows nothing across modalities."""
    if front_end.shares_space:
        from model.training.common_space import common_space_model

        return common_space_model((front_end.name, front_end.identity), front_end.audio_shape[0])
    if front_end.prior is None:
        return None
    from model.training.starting_model import starting_model  # a question needs nothing of training

    shapes: dict[Modality, int] = {"audio": front_end.audio_shape[0], "visual": front_end.visual_shape[0]}
    start = starting_model((front_end.name, front_end.identity), front_end.prior, shapes)
    if front_end.name == OF_REAL_FOOTAGE:
        return start
    return replace(start, match=None, temperature=1.0)  # these were measured with the features of `pretrained`


def _copy_default_model(into: Path) -> str:
    fingerprint = Checkpoint.load(DEFAULT_MODEL).fingerprint
    for suffix in (".safetensors", ".json"):
        partial = into / f"{fingerprint}{suffix}.partial"
        with writing(into):
            shutil.copyfile(DEFAULT_MODEL.with_suffix(suffix), partial)
            os.replace(partial, into / f"{fingerprint}{suffix}")  # in one step: it may be serving
    return fingerprint
