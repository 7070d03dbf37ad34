"""Say of a container's streams which are taken, and make numbers of their sound: PyAV's streams, by our rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.plane import AudioPlane
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import Float32, Shaped

from model.media.channels import Mixing
from model.media.tracks import PictureTrack, SoundTrack, choose_picture, choose_sound, note_pictures, note_sounds

ASIDE = (
    Disposition.comment
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.clean_effects
    | Disposition.dependent
)
COVER = Disposition.attached_pic | Disposition.timed_thumbnails
SAMPLE_TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype(np.uint8),
    "s16": np.dtype(np.int16),
    "s32": np.dtype(np.int32),
    "s64": np.dtype(np.int64),
    "flt": np.dtype(np.float32),
    "dbl": np.dtype(np.float64),
}


def sound_stream(container: InputContainer, audio_track: int | None = None) -> AudioStream | None:
    """Return the sound track to take, or the one of this number. Raises NoSoundTrack."""
    track = choose_sound(Path(container.name).name, _sound_tracks(container), audio_track)
    return next((stream for stream in container.streams.audio if track and stream.index == track.index), None)


def picture_stream(container: InputContainer) -> VideoStream | None:
    """Return the picture track to take."""
    track = choose_picture(_picture_tracks(container))
    return next((stream for stream in container.streams.video if track and stream.index == track.index), None)


def notes(container: InputContainer, sound: AudioStream | None, picture: VideoStream | None) -> tuple[str, ...]:
    """Say which tracks were taken where there were others."""
    sounds, pictures = _sound_tracks(container), _picture_tracks(container)
    return note_sounds(sounds, next((track for track in sounds if sound and track.index == sound.index), None)) + (
        note_pictures(pictures, next((track for track in pictures if picture and track.index == picture.index), None))
    )


def has_unseen(container: InputContainer) -> bool:
    """Return whether there is a picture track of which nothing has been seen yet, not even its size."""
    return any(track.is_empty and not track.cover for track in _picture_tracks(container))


def forget_odd_layouts(container: InputContainer) -> None:
    """Keep of a layout that has no name (right, left, left, right) only how many channels there are.

    PyAV frees the list of such a layout's channels each time that it is looked at, which crashes at the second.
    """
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            layout = stream.codec_context.layout
            if " channels (" in layout.name:
                stream.codec_context.layout = f"{layout.nb_channels} channels"


def mixed(frames: list[av.AudioFrame], mixing: Mixing) -> Float32[np.ndarray, "*channels samples"]:
    """Return frames that follow each other, as one channel or as `mixing` has it."""
    samples = np.concatenate([_samples(frame) for frame in frames], axis=1)
    return mixing.mix(samples, [channel.name for channel in frames[0].layout.channels], frames[0].sample_rate)


def _samples(frame: av.AudioFrame) -> Shaped[np.ndarray, "channels samples"]:
    """Return a frame's samples. PyAV's own `to_ndarray` reads past the end of eight or more planes and crashes."""
    count, kind = frame.layout.nb_channels, SAMPLE_TYPES[frame.format.name.removesuffix("p")]
    if not frame.format.is_planar:
        packed = np.frombuffer(memoryview(AudioPlane(frame, 0)), kind, frame.samples * count)
        return np.asarray(packed.reshape(-1, count).T)
    return np.stack(
        [np.frombuffer(memoryview(AudioPlane(frame, number)), kind, frame.samples) for number in range(count)]
    )


def _sound_tracks(container: InputContainer) -> list[SoundTrack]:
    best = container.streams.best  # PyAV tells no programmes, but FFmpeg's best track is of that of the related one
    picture = picture_stream(container)
    programme = best("audio", related=picture)
    return [
        SoundTrack(
            index=stream.index,
            number=number,
            decodable=stream.codec_context is not None,
            with_picture=best("audio", related=stream) == programme,
            default=bool(stream.disposition & Disposition.default),
            aside=bool(stream.disposition & ASIDE),
            channels=stream.codec_context.channels if stream.codec_context else 0,
        )
        for number, stream in enumerate(container.streams.audio, start=1)
    ]


def _picture_tracks(container: InputContainer) -> list[PictureTrack]:
    return [
        PictureTrack(
            index=stream.index,
            decodable=stream.codec_context is not None,
            cover=bool(stream.disposition & COVER),
            default=bool(stream.disposition & Disposition.default),
            width=stream.codec_context.width if stream.codec_context else 0,
            height=stream.codec_context.height if stream.codec_context else 0,
        )
        for stream in container.streams.video
    ]
