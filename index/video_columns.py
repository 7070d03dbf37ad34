"""What is asked of the videos of a table, as columns that are made once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Shaped


class VideoColumns:
    """Hold, in the order of the videos, ids, labels, lower-case names, paths and dates.

    "" is no label, and the path of an upload; NaN is no date. Names are bytes, so that A-Z alone become lower-case, as
    SQLite has it.
    """

    def __init__(
        self,
        ids: Sequence[str],
        labels: Sequence[str],
        names: Sequence[str],
        paths: Sequence[str],
        modified_s: Sequence[float | None],
    ) -> None:
        self.ids: Shaped[np.ndarray, "videos"] = np.array(ids, np.str_)
        self.labels: Shaped[np.ndarray, "videos"] = np.array(labels, np.str_)
        self._names = [name.encode().lower() for name in names]
        self._paths = paths
        self.modified_s: Float64[np.ndarray, "videos"] = np.array(modified_s, np.float64)  # None becomes NaN

    def named(self, part: str) -> Bool[np.ndarray, "videos"]:
        """Say whose file name holds a part."""
        wanted = part.encode().lower()
        return np.array([wanted in name for name in self._names], bool)

    def beginning(self, start: str) -> Bool[np.ndarray, "videos"]:
        """Say whose path begins so."""
        return np.array([path.startswith(start) for path in self._paths], bool)
