"""The maps that a library keeps on disk: where each of its seconds lies."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

from model.data.features import UNREADABLE, save_arrays

MOST_KEPT = 12  # the latest used; 20,000 points take 1 MB
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class KeptMap:
    """Hold n points, keys ascending, with position and cluster; `first`: drawn at first, and has not joined since."""

    keys: UInt64[np.ndarray, "n"]
    positions: Float64[np.ndarray, "n 2"]
    cluster: Int64[np.ndarray, "n"]
    k_distance: Float64[np.ndarray, "n"]
    eps: Float64[np.ndarray, ""]
    first: Bool[np.ndarray, "n"]

    def find(self, keys: UInt64[np.ndarray, "m"]) -> Int64[np.ndarray, "m"]:
        """Return which of the points each key is; -1 where it is none."""
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)


@dataclass(frozen=True)
class KeptMaps:
    """Keep maps as files of a directory, under names; the ones not used for longest are removed."""

    directory: Path

    def load(self, name: str) -> KeptMap | None:
        """Return a map; None where there is none that can be read."""
        path = self._path(name)
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                kept = KeptMap(*(file[field.name] for field in fields(KeptMap)))
            os.utime(path)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            log.warning("%s cannot be read (%s): the map is drawn anew", path, error)
            return None
        return kept

    def save(self, name: str, kept: KeptMap) -> None:
        """Replace a map atomically; if the disk refuses, log a warning: the next start draws it again."""
        path = self._path(name)
        try:
            save_arrays(path, vars(kept))
            self._tidy()
        except OSError as error:
            log.warning("%s cannot be written (%s): the map is kept in memory alone", path, error)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.npz"

    def _tidy(self) -> None:
        files = sorted(self.directory.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
        for path in files[:-MOST_KEPT]:
            path.unlink(missing_ok=True)
