"""A file's path and its content: a file that moved is found again, other content under a path takes its place."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from app.library.videos import delete_video
from index.library import Library
from index.records import Video

MOVED, CAME_BACK = "it had moved: found again", "it was missing: found again"
TOOK_PLACE = "it takes the place of what its path held before"


class Place(NamedTuple):
    """Name where a file lies, as `Library.reference` does, and whether it was uploaded: then it goes with its video."""

    path: str
    uploaded: bool = False


class Places:
    """Keep right, while files come in, where a library's videos lie: at most one video, and one content, at a path."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._copies: dict[str, Place] = {}  # other places at which a known video was seen

    def found(self, video: Video, place: Place) -> str | None:
        """Take in that a known video's content lies at a place; return what a person should know of that."""
        catalogue, note = self._library.catalogue, None
        video = catalogue.find_by_sha256(video.sha256) or video  # files before this one may have moved it
        if video.missing or not self._lies_there(video):
            note = CAME_BACK if place.path == video.path else MOVED
            if place.path != video.path:
                catalogue.relocate(video.video_id, *place)
            catalogue.mark_missing([video.video_id], missing=False)
        elif place.path != video.path:
            self._copies[video.video_id] = place
        return self.holds(video, place.path) or note

    def holds(self, video: Video, path: str) -> str | None:
        """Take in that a path holds the content of this video: any other that it held is elsewhere now, or missing."""
        catalogue = self._library.catalogue
        others = catalogue.others_at(path, video.sha256)
        copies = {other: copy for other in others if (copy := self._copies.get(other)) and copy.path != path}
        for other, copy in copies.items():
            catalogue.relocate(other, *copy)
        catalogue.mark_missing(other for other in others if other not in copies)
        return TOOK_PLACE if others else None

    def settle(self) -> None:
        """Delete videos whose place another one has taken, once no file with their content turned up elsewhere.

        What has no label takes over the label and event of what was there before.
        """
        for old, new in self._library.catalogue.superseded():
            if old.label is not None and new.label is None:
                event = (old.label, old.event_start_s, old.event_end_s)
                self._library.catalogue.update_labels(new.video_id, *event)
            delete_video(self._library, old.video_id)

    def _lies_there(self, video: Video) -> bool:
        """Say whether a file of a video's size is at its path; one of another size has taken its place."""
        try:
            found = os.stat(self._library.locate(video.path))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and video.size_bytes in (None, found.st_size)
