"""Recognise a medium by its content, and read it as segments."""

from __future__ import annotations

import hashlib
from pathlib import Path

from model.errors import Damaged, EmptyFile, NotAMedium, NotReadable, TooLarge, TooSmall
from model.media import containers, ogg, pictures, sounds
from model.media.plain_wav import PlainWav
from model.media.reading import FOOTAGE, LIMITS, Limits, Medium, Reading, too_long
from model.media.tracks import check_number

__all__ = [
    "DECODING",
    "FOOTAGE",
    "LIMITS",
    "Limits",
    "Medium",
    "Reading",
    "hash_file",
    "open_medium",
    "open_plain",
    "unreadable",
]

DECODING = 2  # the version of the rules by which seconds are decoded; a new one may give other bits
SMALLEST_SIDE = 16
ENTERABLE_SOUNDS = ("audio/wav", "audio/flac", "audio/aiff", "audio/x-caf")  # libsndfile finds any sample of them
MEDIA_TYPES = {
    "aac": "audio/aac",
    "asf": "video/x-ms-asf",
    "avi": "video/x-msvideo",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "mp3": "audio/mpeg",
    "mpeg": "video/mpeg",
    "mpegts": "video/mp2t",
    "wav": "audio/wav",
}
ESTIMATED_TYPES = ("audio/mpeg",)  # of sound files; libsndfile counts the samples of the others


def open_medium(path: Path, limits: Limits = LIMITS, audio_track: int | None = None) -> Medium:
    """Recognise a file by its bytes, never by its name, and read its head.

    `audio_track`: which of its sound tracks to take, counted from 1; None for the one that a player takes.

    Raises EmptyFile, NotAMedium, Damaged, TooLarge, TooSmall, TooLong, NoSoundTrack.
    """
    _check_size(path, limits)
    medium = _picture(path, limits) or _sound(path, limits) or _chained(path, limits)
    medium = medium or _other(path, limits, audio_track)
    if audio_track is not None and medium.decoder != "container":
        check_number(path.name, audio_track, int(medium.has_sound))
    if medium.exact_duration and medium.duration_s is not None and medium.duration_s > limits.decoded_s:
        raise too_long(path, medium.duration_s, limits.decoded_s)
    return medium


def open_plain(name: str, content: bytes, limits: Limits = LIMITS) -> Medium | None:
    """Return a plain WAV file that is in memory; None for `open_medium` to judge, where it is none or too large.

    `name`: for messages. Both give the same bits.
    """
    sound = PlainWav.of(content)
    if sound is None or len(content) > limits.bytes or sound.duration_s > limits.decoded_s:
        return None
    return Medium(
        path=Path(name),
        kind="sound",
        has_sound=True,
        duration_s=sound.duration_s,
        media_type="audio/wav",
        decoder="sound file",
        exact_duration=True,
        enterable=True,
        limits=limits,
        held=sound,
    )


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_size(path: Path, limits: Limits) -> None:
    try:
        if not path.is_file():
            if not path.exists():
                raise NotAMedium(f"{path}: there is no such file.")
            raise NotAMedium(f"{path} is a directory or device; the path of a sound, picture or video is expected.")
        size = path.stat().st_size
        if size:
            _try_to_read(path)
    except PermissionError as error:  # of a directory above it
        raise unreadable(path, error) from error
    except OSError as error:
        raise NotAMedium(f"{path.name[:80]} cannot be looked at ({error.strerror}); give another path.") from error
    if size == 0:
        raise EmptyFile(f"{path.name} holds no bytes. Copy or export it again.")
    if size > limits.bytes:
        raise TooLarge(f"{path.name} has {size} bytes; at most {limits.bytes} are accepted. Send a shorter piece.")


def unreadable(path: Path, error: OSError) -> NotReadable:
    """Return what to raise where the rights or the disk do not let a file be read."""
    return NotReadable(
        f"{path.name} cannot be read ({error.strerror}): give the user that runs Echolens the right to read it, or "
        "check the disk."
    )


def _try_to_read(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise unreadable(path, error) from error


def _picture(path: Path, limits: Limits) -> Medium | None:
    head = pictures.read_head(path, limits.pixels)
    if head is None:
        return None
    _check_sides(path, head.width, head.height, limits)
    return Medium(
        path=path,
        kind="video" if head.animated else "picture",
        has_sound=False,
        duration_s=None,
        media_type=head.media_type,
        decoder="animation" if head.animated else "picture",
        exact_duration=False,
        limits=limits,
    )


def _sound(path: Path, limits: Limits, last_resort: bool = False) -> Medium | None:
    head = sounds.read_head(path, last_resort)
    if head is None:
        return None
    return Medium(
        path=path,
        kind="sound",
        has_sound=True,
        duration_s=head.duration_s,
        media_type=head.media_type,
        decoder="sound file",
        exact_duration=head.media_type not in ESTIMATED_TYPES,
        enterable=head.media_type in ENTERABLE_SOUNDS,
        limits=limits,
    )


def _chained(path: Path, limits: Limits) -> Medium | None:
    """Return an Ogg file of streams in a row that differ, which FFmpeg refuses or passes over."""
    if not ogg.unlike_links(path):
        return None
    return Medium(
        path=path,
        kind="sound",
        has_sound=True,
        duration_s=None,
        media_type="audio/ogg",
        decoder="unlike streams",
        exact_duration=False,
        limits=limits,
    )


def _other(path: Path, limits: Limits, audio_track: int | None) -> Medium:
    """Return a container, or a sound file that only libsndfile can open."""
    try:
        return _container(path, limits, audio_track)
    except (NotAMedium, Damaged):
        medium = _sound(path, limits, last_resort=True)
        if medium is None:
            raise
        return medium


def _container(path: Path, limits: Limits, audio_track: int | None) -> Medium:
    tracks = containers.probe(path, audio_track)
    if tracks.picture_codec is None and tracks.sound_codec is None:
        raise NotAMedium(
            f"{path.name} holds no sound or picture track that can be decoded here. "
            "Export it with common codecs such as H.264 and AAC."
        )
    if tracks.width and tracks.height:  # of a picture that comes late, or never, a head may not say
        _check_sides(path, tracks.width, tracks.height, limits)
    return Medium(
        path=path,
        kind="video" if tracks.picture_codec is not None else "sound",
        has_sound=tracks.sound_codec is not None,
        duration_s=tracks.duration_s,
        media_type=_media_type(path, tracks),
        decoder="container",
        exact_duration=tracks.indexed,
        enterable=tracks.indexed,
        limits=limits,
        notes=tracks.notes,
        audio_track=audio_track,
    )


def _media_type(path: Path, tracks: containers.Tracks) -> str:
    medium = "audio" if tracks.picture_codec is None else "video"
    with path.open("rb") as file:
        head = file.read(64)
    if tracks.format_name.startswith("mov"):
        return "video/quicktime" if head[8:12] == b"qt  " else f"{medium}/mp4"
    if tracks.format_name.startswith("matroska"):
        return f"{medium}/webm" if b"webm" in head else f"{medium}/x-matroska"
    if tracks.format_name == "ogg":
        return f"{medium}/ogg"
    return MEDIA_TYPES.get(tracks.format_name, "application/octet-stream")


def _check_sides(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise TooLarge(
            f"{path.name} is {width} x {height} pixels; at most {limits.pixels} are accepted. Send it scaled down."
        )
    if min(width, height) < SMALLEST_SIDE:
        raise TooSmall(
            f"{path.name} is {width} x {height} pixels; at least {SMALLEST_SIDE} a side are expected. "
            "Send a larger picture."
        )
