"""A library's videos: taken out of it."""

from __future__ import annotations

from app.media.excerpts import remove_excerpts
from app.media.previews import Previews
from index.library import Library
from index.records import Video


def delete_video(library: Library, video_id: str) -> Video:
    """Delete a video with its previews and features and return it; its file too, if it was uploaded.

    Raises NotFound.
    """
    video = library.catalogue.delete_video(video_id)
    Previews(library, video_id).remove()
    remove_excerpts(library, video_id)
    for features in library.cache.glob(f"features/*/{video.sha256}.*"):
        features.unlink(missing_ok=True)
    original = library.locate(video.path)
    if video.uploaded and original.is_relative_to(library.media):  # older releases moved it elsewhere
        original.unlink(missing_ok=True)
    return video
