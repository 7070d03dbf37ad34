"""The features of one recording, second by second."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Float32, Int64

# What reading an absent, cut off or damaged .npz raises.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError, BadZipFile)
WHOLE = ("sound_whole", "frame_whole")  # a file of an older release lacks them: it knew no damage


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as npz, in one step: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as out:
            np.savez(out, **dict[str, Any](arrays))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class Features:
    """Hold a front-end's features of t seconds; where a modality is missing its rows are zeros and masked out.

    `start_s` (t,): whole seconds, ascending. `audio` (t, *A), `visual` (t, *V). `heard`, `seen` (t,): masks.
    `sound_whole`, `frame_whole` (t,): decoded without damage.
    """

    start_s: Int64[np.ndarray, "t"]
    audio: Float32[np.ndarray, "t *A"]
    visual: Float32[np.ndarray, "t *V"]
    heard: Bool[np.ndarray, "t"]
    seen: Bool[np.ndarray, "t"]
    sound_whole: Bool[np.ndarray, "t"]
    frame_whole: Bool[np.ndarray, "t"]

    def __len__(self) -> int:
        """Return how many seconds there are."""
        return len(self.start_s)

    def rows(self, chosen: Bool[np.ndarray, "t"] | Int64[np.ndarray, "n"]) -> Features:
        """Return some seconds: those of a mask or of row numbers."""
        return Features(*(array[chosen] for array in vars(self).values()))

    @staticmethod
    def joined(parts: Sequence[Features]) -> Features:
        """Return the seconds of one or more parts, which follow each other, as one."""
        names = Features.__dataclass_fields__
        return Features(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def save(self, path: Path) -> None:
        """Write them as `save_arrays` does."""
        save_arrays(path, asdict(self))

    @staticmethod
    def load(path: Path) -> Features:
        """Read what `save` wrote; nothing is unpickled."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaves a damaged one open
            found = {name: arrays[name] for name in arrays.files}
        for name in WHOLE:
            found.setdefault(name, np.ones(len(found["start_s"]), bool))
        return Features(**found)
