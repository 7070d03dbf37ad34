"""What is asked of the videos of a table, as columns that are made once, when they are first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped


class VideoColumns:
    """Hold Video records by id, and in their order ids, labels, lower-case names, paths and dates.

    `positions`: by what the catalogue knows the videos, ascending; None for a table in memory. "" is no label, and the
    path of an upload; NaN is no date. Names are bytes, so that A-Z alone become lower-case, as SQLite has it.
    """

    def __init__(self, videos: dict[str, Any], positions: Int64[np.ndarray, "videos"] | None = None) -> None:
        self.videos, self.positions = videos, positions

    @cached_property
    def ids(self) -> Shaped[np.ndarray, "videos"]:
        """Return the ids."""
        return np.array(list(self.videos), np.str_)

    @cached_property
    def labels(self) -> Shaped[np.ndarray, "videos"]:
        """Return the labels."""
        return np.array([video.label or "" for video in self.videos.values()], np.str_)

    @cached_property
    def modified_s(self) -> Float64[np.ndarray, "videos"]:
        """Return when the files were last changed, in Unix time."""
        return np.array([video.modified_s for video in self.videos.values()], np.float64)  # None becomes NaN

    @cached_property
    def _names(self) -> list[bytes]:
        return [video.file_name.encode().lower() for video in self.videos.values()]

    @cached_property
    def _paths(self) -> list[str]:
        return ["" if video.uploaded else video.path for video in self.videos.values()]

    def named(self, part: str) -> Bool[np.ndarray, "videos"]:
        """Say whose file name holds a part."""
        wanted = part.encode().lower()
        return np.array([wanted in name for name in self._names], bool)

    def beginning(self, start: str) -> Bool[np.ndarray, "videos"]:
        """Say whose path begins so."""
        return np.array([path.startswith(start) for path in self._paths], bool)
