"""Where seconds and videos can be seen and heard, relative to the request that is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.schemas.answering import Answering
from app.telemetry.current_request import link

if TYPE_CHECKING:
    from app.queries.retrieval import Hit
    from index.records import SegmentRow, Video


class SecondLinks(Answering):
    """Where a second can be seen and heard; null where it has no frame or no sound."""

    frame: str | None
    sound: str | None
    original: str


class HitLinks(SecondLinks):
    """Where a hit can be seen and heard, and a picture of its video; null where that has none."""

    poster: str | None


def second_links(second: SegmentRow | Hit, video_id: str, end_s: int) -> dict[str, str | None]:
    """Return the links of a second, or of a run of seconds that is named by its best one."""
    there = link(f"segments/{second.segment_id}")
    return {
        "frame": f"{there}/frame.jpg" if second.seen else None,
        "sound": f"{there}/sound.wav" if second.heard else None,
        "original": link(f"videos/{video_id}/original#t={second.start_s},{end_s}"),
    }


def poster_link(video: Video) -> str | None:
    """Return where a picture is to know a video by; None where it has none."""
    return link(f"videos/{video.video_id}/poster.jpg") if video.has_picture else None
