"""Ordinary, whole files give the same bits in every release: a library need not be made anew.

Encoders, and decoders of lossy codecs, give other bits on other machines. So every file is decoded a second time, in
the plainest way: whole, the mean of the channels, one stream of soxr, the frame nearest to the middle of a second.
Files whose samples and pixels are the same everywhere have a committed SHA-256 as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr
import torch
from librosa.filters import mel
from PIL import Image
from track_samples import PictureTrack, SoundTrack, write_tracks

from model.frontends.raw import RawFrontEnd
from model.media.medium import open_medium
from model.media.segments import Segment

SECONDS = 3
Second = tuple[np.ndarray | None, np.ndarray | None]


# What is in the files: noise under tones, and a picture in which every pixel moves


def wave(rate_hz: int, channels: int) -> np.ndarray:
    """Return integers of 16 bits, the same on every machine: a jagged walk that is folded at the ends."""
    index = np.arange(SECONDS * rate_hz)[:, np.newaxis]
    steps = (7 * index**2 + 13 * index * np.arange(channels)) % 4001 - 2000
    return (np.abs((np.cumsum(steps, axis=0) + 16_000) % 64_000 - 32_000) - 16_000).astype(np.int16)


def scene(time_s: float) -> np.ndarray:
    rows, columns = np.mgrid[:96, :128]
    shift = round(100 * time_s)
    channels = (2 * columns + shift) % 256, (2 * rows - shift) % 256, (rows + columns + 2 * shift) % 256
    return np.stack(channels, axis=2).astype(np.uint8)


def sound_file(kind: str, subtype: str, rate_hz: int, channels: int) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        soundfile.write(path, wave(rate_hz, channels), rate_hz, format=kind, subtype=subtype)
        return path

    return write


def film(
    muxer: str, picture: tuple[str, str], sound: tuple[str, str], rate_hz: int = 48_000, layout: str = "stereo"
) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        samples = wave(rate_hz, 2 if layout == "stereo" else 1) / 32768
        codec, sample_format = sound
        return write_tracks(
            path,
            muxer,
            SECONDS,
            PictureTrack(picture[0], scene, picture[1]),
            SoundTrack(codec, samples, rate_hz, layout, sample_format),
        )

    return write


def picture_file(**options: object) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        Image.fromarray(scene(0.0)).save(path, **options)
        return path

    return write


def animation(path: Path) -> Path:
    frames = [Image.fromarray(scene(number / 5)).quantize(64) for number in range(5 * SECONDS)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=200)
    return path


# How they are decoded plainly


def plain_sound_file(path: Path) -> list[Second]:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return [(sound, None) for sound in seconds_of(samples.mean(axis=1, dtype=np.float32), rate_hz)]


def plain_film(path: Path) -> list[Second]:
    with av.open(str(path)) as container:
        origin_s = max(0.0, (container.start_time or 0) / 1_000_000)
        sounds = list(container.decode(audio=0))
    with av.open(str(path)) as container:
        frames = [(frame.time - origin_s, frame) for frame in container.decode(video=0)]
    mono = np.concatenate([mean_of(frame) for frame in sounds])
    rate_hz = sounds[0].sample_rate
    late = round((sounds[0].time - origin_s) * rate_hz)
    mono = np.concatenate([np.zeros(max(late, 0), np.float32), mono[max(-late, 0) :]])
    return list(zip(seconds_of(mono, rate_hz), middles_of(frames), strict=True))


def mean_of(frame: av.AudioFrame) -> np.ndarray:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.int16:
        return (samples.mean(axis=0) / 32768).astype(np.float32)
    assert samples.dtype == np.float32
    return samples.mean(axis=0, dtype=np.float32)


def seconds_of(mono: np.ndarray, rate_hz: int) -> list[np.ndarray]:
    stream = soxr.ResampleStream(rate_hz, 16_000, 1, dtype="float32", quality="HQ")
    sound = stream.resample_chunk(mono, last=True)
    whole = len(sound) // 16_000
    rest = sound[16_000 * whole :]
    ends = [np.pad(rest, (0, 16_000 - len(rest)))] if len(rest) >= 8000 else []
    return [*sound[: 16_000 * whole].reshape(-1, 16_000), *ends]


def middles_of(frames: list[tuple[float, av.VideoFrame]]) -> Iterator[np.ndarray]:
    for second in range(SECONDS):
        within = [(abs(start_s - second - 0.5), frame) for start_s, frame in frames if second <= start_s < second + 1]
        yield min(within, key=lambda pair: round(pair[0], 6))[1].to_ndarray(format="rgb24")


def plain_picture(path: Path) -> list[Second]:
    return [(None, np.array(Image.open(path).convert("RGB")))]


def plain_animation(path: Path) -> list[Second]:
    with Image.open(path) as image:
        return [(None, frame_of(image, 5 * second + 2)) for second in range(SECONDS)]  # of 0.4 and 0.6 the earlier


def frame_of(image: Image.Image, number: int) -> np.ndarray:
    image.seek(number)
    return np.array(image.convert("RGB"))


ORDINARY: dict[str, tuple[Callable[[Path], Path], Callable[[Path], list[Second]]]] = {
    "mono.wav": (sound_file("WAV", "PCM_16", 16_000, 1), plain_sound_file),
    "stereo.wav": (sound_file("WAV", "PCM_16", 48_000, 2), plain_sound_file),
    "stereo.flac": (sound_file("FLAC", "PCM_16", 16_000, 2), plain_sound_file),
    "music.mp3": (sound_file("MP3", "MPEG_LAYER_III", 44_100, 2), plain_sound_file),
    "music.ogg": (sound_file("OGG", "VORBIS", 48_000, 2), plain_sound_file),
    "phone.mp4": (film("mp4", ("libx264", "yuv420p"), ("aac", "fltp")), plain_film),
    "camera.mov": (film("mov", ("libx264", "yuv420p"), ("pcm_s16le", "s16")), plain_film),
    "camcorder.ts": (film("mpegts", ("libx264", "yuv420p"), ("ac3", "fltp")), plain_film),
    "archive.mkv": (film("matroska", ("ffv1", "bgr0"), ("pcm_s16le", "s16"), 16_000, "mono"), plain_film),
    "browser.webm": (film("webm", ("libvpx", "yuv420p"), ("libopus", "flt")), plain_film),
    "old.avi": (film("avi", ("mpeg4", "yuv420p"), ("libmp3lame", "fltp"), 44_100), plain_film),
    "picture.png": (picture_file(), plain_picture),
    "photograph.jpg": (picture_file(quality=90), plain_picture),
    "animation.gif": (animation, plain_animation),
}
FINGERPRINTS = {  # SHA-256 of all sound and frames of the files that are without loss at 16 kHz
    "mono.wav": "0ba72007c86fec1768df5cf182762fae37042beff58e5f78209ceeb67bfbd533",
    "stereo.flac": "3a1159661e72c6f4e70d996ca2bc1f167623c068685deb136f7fff55ef60951c",
    "archive.mkv": "702c955bcefac44746200626751fb0c6e26acfe61fb1b3e29cb9047347082b23",
    "picture.png": "abd56238ac9e99e6ca848387e626ce6d3c8d6edd82e4f3b581e64497b6c77d09",
}


@pytest.fixture(scope="module")
def read_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, list[Segment]]]:
    directory, known = tmp_path_factory.mktemp("ordinary"), dict[str, tuple[Path, list[Segment]]]()

    def read(name: str) -> tuple[Path, list[Segment]]:
        if name not in known:
            path = ORDINARY[name][0](directory / name)
            known[name] = path, list(open_medium(path).segments())
        return known[name]

    return read


@pytest.mark.parametrize("name", ORDINARY)
def test_segments_have_the_bits_of_plain_decoding(name: str, read_file: Callable) -> None:
    path, segments = read_file(name)
    plain = ORDINARY[name][1](path)
    assert [segment.start_s for segment in segments] == list(range(len(plain)))
    for segment, (sound, frame) in zip(segments, plain, strict=True):
        assert bits(segment.sound) == bits(sound), segment.start_s
        assert bits(segment.frame) == bits(frame), segment.start_s
        assert (segment.sound_whole, segment.frame_whole, segment.lost_s) == (True, True, 0.0)


@pytest.mark.parametrize("name", ORDINARY)
def test_features_have_the_bits_of_plain_formulas(name: str, read_file: Callable) -> None:
    """The `raw` front-end gives what its two formulas give, written out here once more."""
    _, segments = read_file(name)
    features = RawFrontEnd().features(segments)
    for row, segment in enumerate(segments):
        if segment.sound is not None:
            assert bits(features.audio[row]) == bits(log_mel(segment.sound))
        if segment.frame is not None:
            small = Image.fromarray(segment.frame).resize((32, 32), Image.Resampling.BOX)
            assert bits(features.visual[row]) == bits(np.asarray(small, np.float32).transpose(2, 0, 1) / 255)


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_files_without_loss_have_their_fingerprints(name: str, read_file: Callable) -> None:
    """What was computed when a library was made is computed today, on any machine."""
    digest = hashlib.sha256()
    for segment in read_file(name)[1]:
        for part in (segment.sound, segment.frame):
            digest.update(b"" if part is None else part.tobytes())
    assert digest.hexdigest() == FINGERPRINTS[name]


def log_mel(sound: np.ndarray) -> np.ndarray:
    bank = torch.from_numpy(mel(sr=16_000, n_fft=1024, n_mels=64, fmin=50.0))
    window = torch.hann_window(1024)
    spectra = torch.stft(torch.from_numpy(sound), 1024, 500, window=window, pad_mode="constant", return_complex=True)
    return torch.log10((bank @ spectra[:, :32].abs().square()).clamp_min(1e-8)).numpy()


def bits(array: np.ndarray | None) -> object:
    return None if array is None else (array.shape, array.dtype.str, hashlib.sha256(array.tobytes()).hexdigest())
