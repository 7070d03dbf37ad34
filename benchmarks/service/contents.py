"""What a library holds, to the last bit: to compare two libraries item by item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from app.library.features import features_of
from app.library.session import Session
from index.records import Video
from model.modality import MODALITIES


class Contents(NamedTuple):
    """Hold a video, its seconds, and the SHA-256 of its features, of its latents, and of each of its previews."""

    video: Video
    seconds: list[tuple[object, ...]]
    features: str
    latents: str
    previews: dict[str, str]


def contents_of(directory: Path) -> dict[str, Contents]:
    """Return what a library holds, by file name."""
    with Session.open(directory, torch.device("cpu"), create=False) as session:
        return {video.file_name: _contents(session, video) for video in session.library.catalogue.every_video()}


def differences(found: dict[str, Contents], expected: dict[str, Contents]) -> list[str]:
    """Say, a line for each item, in what two libraries differ."""
    absent = [f"{name} is absent" for name in sorted(expected.keys() - found.keys())]
    absent += [f"{name} is there, and should not be" for name in sorted(found.keys() - expected.keys())]
    return absent + [
        f"{name} differs in its {what}"
        for name in sorted(found.keys() & expected.keys())
        for what, one, other in zip(Contents._fields, found[name], expected[name], strict=True)
        if one != other
    ]


def _contents(session: Session, video: Video) -> Contents:
    catalogue = session.library.catalogue
    seconds: list[tuple[object, ...]] = [
        (row.start_s, row.heard, row.seen, row.sound_whole, row.frame_whole)
        for row in catalogue.segments_of(video.video_id)
    ]
    tables = [catalogue.latents_of(video.video_id, modality) for modality in MODALITIES]
    latents = [array for table in tables for array in (table.start_s, *vars(table.latents).values())]
    previews = (session.library.previews / video.video_id).iterdir()
    return Contents(
        replace(video, added_at=""),
        seconds,
        _hash(vars(features_of(session, video)).values()),
        _hash(latents),
        {path.name: _hash([path.read_bytes()]) for path in previews},
    )


def _hash(arrays: Iterable[Any]) -> str:
    found = sha256()
    for array in arrays:
        found.update(array if isinstance(array, bytes) else np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
