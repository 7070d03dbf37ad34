"""The features of one recording, second by second."""

from __future__ import annotations

import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Float32, Int64

# What reading an absent, cut off or damaged .npz raises.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError, BadZipFile)


@dataclass(frozen=True, eq=False)
class Features:
    """Hold a front-end's features of t seconds; where a modality is missing its rows are zeros and masked out.

    `start_s` (t,): whole seconds, ascending. `audio` (t, *A), `visual` (t, *V). `heard`, `seen` (t,): masks.
    """

    start_s: Int64[np.ndarray, "t"]
    audio: Float32[np.ndarray, "t *A"]
    visual: Float32[np.ndarray, "t *V"]
    heard: Bool[np.ndarray, "t"]
    seen: Bool[np.ndarray, "t"]

    def save(self, path: Path) -> None:
        """Write the arrays as npz, in one step: a reader sees the whole file or none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
        with partial.open("wb") as out:
            np.savez(out, **asdict(self))
        os.replace(partial, path)

    @staticmethod
    def load(path: Path) -> Features:
        """Read what `save` wrote; nothing is unpickled."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaves a damaged one open
            return Features(**{name: arrays[name] for name in arrays.files})
