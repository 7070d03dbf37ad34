"""What a library holds, small enough to be sent to every machine that reads files for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from index.catalogue import Catalogue


@dataclass(frozen=True)
class HeldVideo:
    """Say how a video was read; fields as of `Video`. `end_s`: where it was cut off, 0 of a complete one."""

    video_id: str
    audio_track: int | None
    decoding: int
    complete: bool
    end_s: int


@dataclass(frozen=True, eq=False)
class HeldVideos:
    """Hold of all videos how they were read: 96 bytes each. `sha256` (n,): as hex digits, in ascending order."""

    sha256: np.ndarray
    facts: Int64[np.ndarray, "n 4"]

    @staticmethod
    def of(catalogue: Catalogue) -> HeldVideos:
        """Return the videos that a library holds now."""
        rows = catalogue.how_read()
        facts = np.array([row[1:] for row in rows], np.int64).reshape(len(rows), 4)
        return HeldVideos(np.array([row[0] for row in rows], "S64"), facts)

    def find_by_sha256(self, sha256: str) -> HeldVideo | None:
        """Return the video with this content, if there is one."""
        row = self._row(sha256)
        if row == len(self.sha256) or self.sha256[row] != sha256.encode():
            return None
        track, decoding, complete, end_s = self.facts[row].tolist()
        return HeldVideo(sha256[:16], track or None, decoding, bool(complete), end_s)

    def end_s(self, video_id: str) -> int:
        """Return where a video that is held was cut off."""
        return int(self.facts[self._row(video_id), 3])

    def _row(self, beginning: str) -> int:
        return int(np.searchsorted(self.sha256, np.array(beginning.encode(), "S64")))
