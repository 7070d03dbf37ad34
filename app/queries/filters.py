"""Which seconds of a library may be hits; what is asked of a video is asked once, not for each of its seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from app.queries.dates import unix_s

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool

    from index.records import LatentTable


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
    after_segment_id: int | None = None
    last_segment_id: int | None = None

    def mask(self, table: LatentTable, having: Bool[np.ndarray, "n"] | None = None) -> Bool[np.ndarray, "n"] | None:
        """Return which of a table's n seconds pass; None where all do. `having`: which of them have the concept."""
        of_videos = list(self._of_videos(table))
        masks = [reduce(and_, of_videos)[table.video_numbers]] if of_videos else []
        if self.after_s is not None:
            masks.append(table.start_s >= self.after_s)
        if self.before_s is not None:
            masks.append(table.start_s + 1 <= self.before_s)
        if self.after_segment_id is not None:
            masks.append(table.ids > self.after_segment_id)
        if self.last_segment_id is not None:
            masks.append(table.ids <= self.last_segment_id)
        if self.concept is not None:
            assert having is not None, "looked up before"
            masks.append(having)
        return reduce(and_, masks) if masks else None

    def _of_videos(self, table: LatentTable) -> Iterator[Bool[np.ndarray, "videos"]]:
        """Yield which videos pass; an upload lies in no folder, and a file without a date passes no date."""
        if self.label is not None:
            yield table.video_columns.labels == self.label
        if self.video_id is not None:
            yield table.video_columns.ids == self.video_id
        if self.name is not None:
            yield table.video_columns.named(self.name)
        if self.folder is not None:
            from index.video_files import below  # brings numpy, which `echolens --help` does without

            yield table.video_columns.beginning(below(self.folder))
        if self.modified_after is not None:
            yield table.video_columns.modified_s >= unix_s(self.modified_after)
        if self.modified_before is not None:
            yield table.video_columns.modified_s < unix_s(self.modified_before)
