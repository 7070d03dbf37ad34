"""Choose the sound and the picture track of a container.

The rules are FFmpeg's (https://ffmpeg.org/ffmpeg.html#Automatic-stream-selection and `av_find_best_stream`): the sound
belongs to the programme of the picture; a default track comes first, a commentary or one made for people who hear or
see little last; then the most channels, or the larger picture; then the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.errors import NoSoundTrack

HINT = "take another with --audio-track N or audio_track"


@dataclass(frozen=True)
class SoundTrack:
    """Hold what a container says about one of its sound tracks.

    `index`: of its stream. `number`: from 1 among the file's sound tracks, as players count. `with_picture`: it belongs
    to the programme of the picture. `aside`: a commentary, or made for people who hear or see little.
    """

    index: int
    number: int
    decodable: bool
    with_picture: bool
    default: bool
    aside: bool
    channels: int

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, int, int]:
        """Return what tracks are sorted by; the smallest is taken."""
        silent = self.channels == 0  # declared, but nothing of it has come
        return silent, not self.with_picture, not self.default, self.aside, -self.channels, self.number


@dataclass(frozen=True)
class PictureTrack:
    """Hold what a container says about one of its picture tracks; `cover`: an attached picture or thumbnail."""

    index: int
    decodable: bool
    cover: bool
    default: bool
    width: int
    height: int

    @property
    def is_empty(self) -> bool:
        """Return whether it is declared, but nothing of it has come."""
        return self.width * self.height == 0

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Return what tracks are sorted by; the smallest is taken."""
        return not self.default, -self.width * self.height, self.index


def choose_sound(name: str, tracks: Sequence[SoundTrack], asked: int | None = None) -> SoundTrack | None:
    """Return the sound track to take, the one asked for by its number if any. Raises NoSoundTrack."""
    decodable = [track for track in tracks if track.decodable]
    if asked is None:
        return min(decodable, key=lambda track: track.rank, default=None)
    check_number(name, asked, len(tracks))
    for track in decodable:
        if track.number == asked:
            return track
    raise NoSoundTrack(f"Sound track {asked} of {name} cannot be decoded here. Give another number.")


def check_number(name: str, asked: int, count: int) -> None:
    """Raise NoSoundTrack where a file of `count` sound tracks has none of that number."""
    if 1 <= asked <= count:
        return
    expected = {0: "leave the number out", 1: "give 1 or leave the number out"}.get(count, f"give 1 to {count}")
    tracks = {0: "no sound track", 1: "one sound track"}.get(count, f"{count} sound tracks")
    raise NoSoundTrack(f"{name} has {tracks}, number {asked} was asked for: {expected}.")


def choose_picture(tracks: Sequence[PictureTrack]) -> PictureTrack | None:
    """Return the picture track to take, or None."""
    shown = [track for track in tracks if track.decodable and not track.cover and not track.is_empty]
    return min(shown, key=lambda track: track.rank, default=None)


def note_sounds(tracks: Sequence[SoundTrack], taken: SoundTrack | None) -> tuple[str, ...]:
    """Say which sound track was taken, and why, where there were others."""
    if taken is None or len(tracks) < 2:
        return ()
    others = [track for track in tracks if track.decodable and track is not taken]
    if not others:
        return (f"sound track {taken.number} of {len(tracks)} was taken: no other can be decoded here",)
    return (f"sound track {taken.number} of {len(tracks)} was taken ({_reason(taken, others)}); {HINT}",)


def note_pictures(tracks: Sequence[PictureTrack], taken: PictureTrack | None) -> tuple[str, ...]:
    """Say which picture track was taken where there were others, and where none could be."""
    moving = [track for track in tracks if not track.cover]
    if taken is None and moving:
        return ("nothing of the picture track can be decoded here: taken without picture",)
    if taken is None or len(moving) < 2:
        return ()
    return (f"picture track {moving.index(taken) + 1} of {len(moving)} was taken; the others were left aside",)


def _reason(taken: SoundTrack, others: Sequence[SoundTrack]) -> str:
    """Name the first rule by which the track comes before all others."""
    reasons = "the others are empty", "it belongs to the picture's programme", "the default", "the others are comments"
    for place, reason in enumerate(reasons):
        if all(taken.rank[: place + 1] < other.rank[: place + 1] for other in others):
            return reason
    return "the most channels" if all(taken.channels > other.channels for other in others) else "the first of its kind"
