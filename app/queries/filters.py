"""Which seconds of a library may be hits; what is asked of a video is asked once, not for each of its seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from app.queries.dates import unix_s
from index.video_files import below

if TYPE_CHECKING:
    from index.records import LatentTable, Video


@dataclass(frozen=True)
class Filters:
    """Say which seconds of a library may be hits; None lets all pass. Questions with equal filters share a search."""

    label: str | None = None
    video_id: str | None = None
    after_s: float | None = None
    before_s: float | None = None
    concept: str | None = None
    name: str | None = None
    folder: str | None = None
    modified_after: str | None = None
    modified_before: str | None = None

    def mask(self, table: LatentTable, having: Bool[np.ndarray, "n"] | None = None) -> Bool[np.ndarray, "n"] | None:
        """Return which of a table's n seconds pass; None where all do. `having`: which of them have the concept."""
        videos = table.videos.values()
        asked = [np.fromiter(map(test, videos), bool, len(videos)) for test in self._tests()]
        masks = [reduce(and_, asked)[table.video_numbers]] if asked else []
        if self.after_s is not None:
            masks.append(table.start_s >= self.after_s)
        if self.before_s is not None:
            masks.append(table.start_s + 1 <= self.before_s)
        if self.concept is not None:
            assert having is not None, "looked up before"
            masks.append(having)
        return reduce(and_, masks) if masks else None

    def _tests(self) -> Iterator[Callable[[Video], bool]]:
        """Yield what a video must meet; an upload lies in no folder, and a file without a date passes no date."""
        if self.label is not None:
            yield lambda video: video.label == self.label
        if self.video_id is not None:
            yield lambda video: video.video_id == self.video_id
        if self.name is not None:
            wanted = self.name.encode().lower()  # of bytes: A-Z alone, as the list of videos has it
            yield lambda video: wanted in video.file_name.encode().lower()
        if self.folder is not None:
            start = below(self.folder)
            yield lambda video: video.path.startswith(start) and not video.uploaded
        if self.modified_after is not None:
            first_s = unix_s(self.modified_after)
            yield lambda video: video.modified_s is not None and video.modified_s >= first_s
        if self.modified_before is not None:
            end_s = unix_s(self.modified_before)
            yield lambda video: video.modified_s is not None and video.modified_s < end_s
