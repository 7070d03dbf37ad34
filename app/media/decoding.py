"""From a file to the features of its seconds. The service runs this in worker processes, but for short plain sounds.

Only features leave a worker: they are much smaller than the sound and pictures that they are made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from app.media.timings import Timings
from app.media.upload import SmallUpload, on_disk
from model.data.temporal_context import MOST_WIDTH_S
from model.errors import NoPicture, NoSoundTrack, NotFinite, QueryError, Silent, TooLong
from model.frontends.frontend import FrontEnd, as_features
from model.media.medium import Limits, Medium, hash_file, open_medium, open_plain, unreadable
from model.media.reading import SMALLEST_TOLD_S
from model.media.segments import SAMPLE_RATE_HZ, SILENCE_DBFS
from model.modality import Modality

Direction = Literal["a2v", "v2a"]
DIRECTIONS: dict[Direction, tuple[Modality, Modality]] = {  # of the query, of what is looked for
    "a2v": ("audio", "visual"),
    "v2a": ("visual", "audio"),
}
MOST_AVERAGED_S = 10
MOST_TARGET_S = 60


@dataclass(frozen=True, eq=False)
class Track:
    """Hold one modality of a recording: one row of features for each second [start_s, start_s + 1) that has it.

    `front_end`: the identity of the one that made them. `about_s`: the one second that is meant, the others being its
    context; None where all are meant.
    """

    modality: Modality
    front_end: str
    start_s: Int64[np.ndarray, "n"]
    rows: Float32[np.ndarray, "n *shape"]
    about_s: int | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """Hold a query's features, those of the clip that it is looked for in, if any, and milliseconds by stage.

    `length_s`: of the clip, else of the query. `notes`: what was lost of the files, or left aside.
    """

    query: Track
    target: Track | None
    length_s: int
    timings_ms: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Hold what the head of a file says; `has_sound`, `has_picture`: the tracks that it declares.

    `notes`: what a person should know of the choice that was made among its tracks.
    """

    sha256: str
    size_bytes: int
    media_type: str
    declared_s: float | None
    has_sound: bool
    has_picture: bool
    notes: tuple[str, ...] = ()


def decode_query(
    front_end: FrontEnd,
    file: Path | SmallUpload,
    limits: Limits,
    at_s: float | None,
    asked: Modality | None,
    audio_track: int | None = None,
    length_s: float | None = None,
) -> Decoded:
    """Return the features of second floor(at_s) and its context, or of the first ten, in the given or only modality.

    With `length_s` of all seconds that [at_s, at_s + length_s) touches, by default from the beginning.
    `audio_track`: which of its sound tracks, counted from 1; None for the default one.

    Raises:
        MediaError: the file cannot be used, is silent, or lacks what was asked for.
        QueryError: `at_s` lies outside the file.
    """
    timings = Timings()
    asked_s = _seconds_asked(at_s, length_s)
    about_s = None if at_s is None or len(asked_s) > 1 else asked_s.start
    first, stop = asked_s.start, asked_s.stop
    if about_s is not None:
        first, stop = max(0, about_s - MOST_WIDTH_S), about_s + MOST_WIDTH_S + 1
    with _opened(file, limits, audio_track, timings) as medium:
        modality = modality_of(medium, asked)
        end_s, (track,), notes = _tracks(front_end, medium, first, stop, {modality: range(first, stop)}, timings)
    if at_s is not None and end_s <= asked_s.start:
        raise QueryError(f"at_s={at_s} given, but {file.name} has no such second: give a time within it")
    if about_s is None:
        _check_present(track, file.name, first, end_s)
        return Decoded(track, None, end_s, timings.stages_ms, notes)
    meant = track.start_s == about_s
    _check_present(replace(track, start_s=track.start_s[meant]), file.name, about_s, about_s + 1)
    return Decoded(replace(track, about_s=about_s), None, end_s, timings.stages_ms, notes)


def _seconds_asked(at_s: float | None, length_s: float | None) -> range:
    """Return the seconds that a stretch touches: one without a length, the first ten without both."""
    if length_s is None:
        return range(MOST_AVERAGED_S) if at_s is None else range(int(at_s), int(at_s) + 1)
    start_s = at_s or 0.0
    return range(int(start_s), math.ceil(round(start_s + length_s, 6)))  # 0.7 + 0.3 is no more than 1


def decode_clip(
    front_end: FrontEnd,
    video: Path | SmallUpload,
    direction: Direction,
    query: range | Path | SmallUpload,
    limits: Limits,
    audio_track: int | None = None,
    query_audio_track: int | None = None,
) -> Decoded:
    """Return the features of a clip's target modality, and the query's: seconds of the same clip, or a second file.

    Raises:
        MediaError: a file cannot be used. QueryError: the query does not lie in the clip or is longer.
    """
    timings = Timings()
    query_modality, target_modality = DIRECTIONS[direction]
    stretch = query if isinstance(query, range) else None
    wanted = {target_modality: range(MOST_TARGET_S)} | ({query_modality: stretch} if stretch is not None else {})
    with _opened(video, limits, audio_track, timings) as medium:
        for modality in wanted:
            modality_of(medium, modality)
        length_s, (target, *own), notes = _tracks(front_end, medium, 0, MOST_TARGET_S + 1, wanted, timings)
    if length_s > MOST_TARGET_S:
        raise TooLong(f"{video.name} lasts over {MOST_TARGET_S} s: cut out the part to search in")
    _check_present(target, video.name, 0, length_s)
    if not isinstance(query, range):
        second = decode_second_file(front_end, query, query_modality, limits, length_s, query_audio_track)
        for stage, spent_ms in second.timings_ms.items():
            timings.add(stage, spent_ms)
        return Decoded(second.query, target, length_s, timings.stages_ms, (*notes, *second.notes))
    if query.start < 0 or query.stop <= query.start or query.stop > length_s:
        raise QueryError(
            f"the query [{query.start}, {query.stop}) s was given, a stretch of at least 1 s within "
            f"[0, {length_s}) expected"
        )
    _check_present(own[0], video.name, query.start, query.stop)
    return Decoded(own[0], target, length_s, timings.stages_ms, notes)


def decode_text(front_end: FrontEnd, text: str, target: Modality) -> Decoded:
    """Return the features of a second of the target modality that a text describes; NaN where it says nothing.

    Raises:
        QueryError: the front-end reads no words, or not these. UnknownWord: one of them names nothing.
        FrontEndError: their features are not of its shape. NotFinite: one is infinite, or NaN without a prior.
    """
    if not front_end.reads_text:
        raise QueryError(
            f"a text given, but this library's front-end {front_end.name} has no prior and reads no text: ask by a "
            "file or a second, or use a library of a front-end that knows words, such as pretrained"
        )
    timings = Timings()
    with timings.stage("features"):
        answer = front_end.text(text, target)
    row = as_features(answer, front_end.shape_of(target), f"the front-end {front_end.name} answers this text with")
    if np.isinf(row).any() or (front_end.prior is None and np.isnan(row).any()):
        raise NotFinite(f"the front-end {front_end.name} gives this text features that are not finite: ask otherwise")
    track = Track(target, front_end.identity, np.zeros(1, np.int64), row[np.newaxis])
    return Decoded(track, None, 1, timings.stages_ms)


def inspect(_: FrontEnd, path: Path, limits: Limits, audio_track: int | None = None) -> Facts:
    """Read a file's head and hash its bytes. Raises MediaError."""
    medium = open_medium(path, limits, audio_track)
    declared_s = medium.duration_s if medium.exact_duration else None  # an estimate may be far off
    try:
        sha256, size_bytes = hash_file(path), path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    return Facts(sha256, size_bytes, medium.media_type, declared_s, medium.has_sound, medium.has_picture, medium.notes)


def canary(front_end: FrontEnd) -> dict[Modality, Track]:
    """Return the features of a second with a tone and a grey picture."""
    tone = np.sin(np.arange(SAMPLE_RATE_HZ, dtype=np.float32) * 0.2)
    picture = np.full((32, 32, 3), 128, np.uint8)
    rows: dict[Modality, np.ndarray] = {"audio": front_end.audio(tone)[None], "visual": front_end.visual(picture)[None]}
    return {m: Track(m, front_end.identity, np.zeros(1, np.int64), row) for m, row in rows.items()}


def modality_of(medium: Medium, asked: Modality | None) -> Modality:
    """Return the modality to search by: of a sound audio, of a picture visual, of a video the one asked for.

    Raises:
        QueryError: a video, and none was asked for. NoSoundTrack, NoPicture: the file lacks the one asked for.
    """
    if asked is None:
        if medium.kind == "video":
            raise QueryError("a video was given as query: set query_modality to audio or visual")
        return "audio" if medium.kind == "sound" else "visual"
    if asked == "audio" and not medium.has_sound:
        raise NoSoundTrack(
            f"{medium.path.name} has no sound track, but its sound was asked for: "
            "send a file with sound, or ask by its picture (query_modality=visual)"
        )
    if asked == "visual" and not medium.has_picture:
        raise NoPicture(
            f"{medium.path.name} has no picture, but its look was asked for: "
            "send a picture or a video, or ask by its sound (query_modality=audio)"
        )
    return asked


def in_memory(file: Path | SmallUpload, limits: Limits, audio_track: int | None) -> Medium | None:
    """Return a file that needs neither disk nor decoder: a plain WAV that is held, of which no track is asked for."""
    if isinstance(file, Path) or audio_track is not None:
        return None
    return open_plain(file.name, file.content, limits)


@contextmanager
def _opened(file: Path | SmallUpload, limits: Limits, audio_track: int | None, timings: Timings) -> Iterator[Medium]:
    """Open a file, a small upload in memory where that can be. Raises MediaError."""
    with timings.stage("decode"):
        medium = in_memory(file, limits, audio_track)
    if medium is not None:
        yield medium
        return
    with on_disk(file) as path:
        with timings.stage("decode"):
            medium = open_medium(path, limits, audio_track)
        yield medium


def _tracks(
    front_end: FrontEnd, medium: Medium, start_s: int, stop_s: int, wanted: dict[Modality, range], timings: Timings
) -> tuple[int, list[Track], tuple[str, ...]]:
    """Return where a recording ends, at most `stop_s`, for each wanted modality the track of its wanted seconds, notes.

    One frame is held at a time.
    """
    found: dict[Modality, list[tuple[int, np.ndarray]]] = {modality: [] for modality in wanted}
    segments, end_s = medium.segments(start_s, stop_s), 0
    while True:
        with timings.stage("decode"):
            segment = next(segments, None)
        if segment is None:
            break
        end_s = segment.start_s + 1
        with timings.stage("features"):
            for modality, seconds in wanted.items():
                if segment.start_s in seconds and (row := front_end.features_of(segment, modality)) is not None:
                    found[modality].append((segment.start_s, row))
    notes = segments.notes
    if segments.loss_s >= SMALLEST_TOLD_S and not notes:  # not read to its end
        notes = (
            f"{segments.loss_s:.1f} s of {medium.path.name}, up to second {end_s}, could not be decoded (damaged)",
        )
    return (
        end_s,
        [
            Track(
                modality,
                front_end.identity,
                np.array([second for second, _ in rows], np.int64),
                np.array([row for _, row in rows], np.float32).reshape(len(rows), *front_end.shape_of(modality)),
            )
            for modality, rows in found.items()
        ],
        (*medium.notes, *notes),
    )


def _check_present(track: Track, name: str, start_s: int, end_s: int) -> None:
    if len(track.start_s):
        return
    where = f"{name}, seconds {start_s} to {end_s},"
    if track.modality == "audio":
        raise Silent(
            f"{where} is silent (under {SILENCE_DBFS:.0f} dBFS): send something that can be heard, or another second"
        )
    raise NoPicture(f"{where} has no picture: ask for another second")


def decode_second_file(
    front_end: FrontEnd,
    file: Path | SmallUpload,
    modality: Modality,
    limits: Limits,
    most_s: int,
    audio_track: int | None = None,
) -> Decoded:
    """Return the features of a query's own file, which must fit into a clip of `most_s`.

    Raises MediaError, QueryError.
    """
    timings, stop_s = Timings(), MOST_TARGET_S + 1
    with _opened(file, limits, audio_track, timings) as medium:
        modality_of(medium, modality)
        end_s, (track,), notes = _tracks(front_end, medium, 0, stop_s, {modality: range(stop_s)}, timings)
    _check_present(track, file.name, 0, end_s)
    length_s = int(track.start_s[-1] - track.start_s[0]) + 1
    if length_s > most_s:
        raise QueryError(f"the query lasts {length_s} s, the clip {most_s} s: a query must fit into the clip")
    return Decoded(track, None, length_s, timings.stages_ms, notes)
