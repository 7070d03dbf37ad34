"""What a person should know of a file that was taken in: what it lacks, and what was lost of it."""

from __future__ import annotations

from collections.abc import Iterable

from app.media.decoding import Facts
from index.catalogue import Catalogue
from index.records import Video


def note_of(catalogue: Catalogue, video: Video, facts: Facts, notes: Iterable[str] = ()) -> str | None:
    """Return what a video lacks for search across modalities, what was lost of it, and further notes; None if nothing.

    `notes`: of its tracks, and of its reading.
    """
    found = (_lack_of(catalogue, video, facts), loss_note(video.loss_s, video.duration_s), *notes)
    return "; ".join(note for note in found if note) or None


def loss_note(loss_s: float, duration_s: float) -> str | None:
    """Return how much of a recording was lost, if anything."""
    return f"{loss_s:.3g} s of {duration_s:.3g} s could not be decoded" if loss_s > 0 else None


def _lack_of(catalogue: Catalogue, video: Video, facts: Facts) -> str | None:
    silent, seconds = catalogue.silent_of(video.video_id)
    if not facts.has_sound:
        return "no sound track: only its picture can be found"
    if silent == seconds:
        return "its sound track is silent: only its picture can be found" if facts.has_picture else "it is silent"
    if not facts.has_picture:
        return "no picture: only its sound can be found"
    return f"{silent} of {seconds} s are silent" if silent else None
