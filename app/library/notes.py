"""What a person should know of a file that was taken in: what it lacks, and what was lost of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.media.decoding import Facts
from app.media.footage import Part
from index.catalogue import Catalogue
from index.records import Video


def note_of(catalogue: Catalogue, video: Video, facts: Facts, last: Part) -> str | None:
    """Return what a video lacks for search across modalities, and what its tracks and its reading tell, if anything.

    `last`: its last part.
    """
    return joined((_lack_of(catalogue, video, facts), *facts.notes, *reading_notes(last, video)))


def reading_notes(last: Part, video: Video) -> Iterator[str]:
    """Yield what reading a video told; one that was entered midway knows only of the loss behind that."""
    if video.loss_s > 0 and (last.entered_s or not last.notes):
        yield f"{video.loss_s:.3g} s of {video.duration_s:.3g} s could not be decoded"
    yield from last.notes


def joined(notes: Iterable[str | None]) -> str | None:
    """Return notes as one; None if there are none."""
    return "; ".join(note for note in notes if note) or None


def _lack_of(catalogue: Catalogue, video: Video, facts: Facts) -> str | None:
    silent, seconds = catalogue.silent_of(video.video_id)
    if not facts.has_sound:
        return "no sound track: only its picture can be found"
    if silent == seconds:
        return "its sound track is silent: only its picture can be found" if facts.has_picture else "it is silent"
    if not facts.has_picture:
        return "no picture: only its sound can be found"
    return f"{silent} of {seconds} s are silent" if silent else None
