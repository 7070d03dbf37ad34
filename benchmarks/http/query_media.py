"""Queries to load a service with: seconds of sound, pictures of 300 KB, clips of ten seconds, no two the same."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from httpx2 import Request
from PIL import Image

from benchmarks.http.load import STAMP_BYTES, Body
from model.media.encoding import encode_wav
from model.media.mp4 import write_mp4
from model.synthesis.clips import generate_clip

PICTURE_BYTES = 300_000
PICTURE_SIZE = (1280, 960)
CLIP_SIZE, CLIP_RATE_HZ = (640, 360), 25


@dataclass(frozen=True)
class Query:
    """Hold a file whose eight bytes at `stamp_at` can be overwritten without making it another kind of file."""

    name: str
    content: bytes
    stamp_at: int

    def body(self, field: str, fields: dict[str, object]) -> Body:
        """Return it as a form."""
        request = Request("POST", "http://127.0.0.1", data=fields, files={field: (self.name, self.content)})
        content = request.read()
        return Body(content, content.index(self.content) + self.stamp_at, request.headers["content-type"])


def make_sounds(count: int, seed: int) -> list[Query]:
    """Return seconds of generated clips' sound, as WAV with 16 bits at 16 kHz."""
    rng = np.random.default_rng(seed)
    tracks = [generate_clip(seed + number).sound for number in range(-(-count // 10))]
    sounds = []
    for number, second in enumerate(np.concatenate(tracks).reshape(-1, 16_000)[:count]):
        noisy = 0.9 * second + 0.01 * rng.standard_normal(16_000)  # none is silent
        content = encode_wav(noisy.astype(np.float32))
        sounds.append(Query(f"{number}.wav", content, len(content) // 4 * 2))
    return sounds


def make_pictures(count: int, seed: int) -> list[Query]:
    """Return JPEGs of 1280 x 960 and about 300 KB, with grain as a camera's."""
    rng = np.random.default_rng(seed)
    pictures = []
    for number in range(count):
        frame = Image.fromarray(generate_clip(seed + number).frames[50]).resize(PICTURE_SIZE, Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (PICTURE_SIZE[1], PICTURE_SIZE[0], 1))
        content = _jpeg_of_size(Image.fromarray(np.clip(np.asarray(frame) + grain, 0, 255).astype(np.uint8)))
        pictures.append(Query(f"{number}.jpg", content + bytes(STAMP_BYTES), len(content)))  # after the picture's end
    return pictures


def make_clips(count: int, seed: int) -> list[Query]:
    """Return MP4s of ten seconds, 640 x 360 at 25 Hz, over which the camera pans, H.264 and AAC."""
    clips = []
    for number in range(count):
        clip = generate_clip(seed + number)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "clip.mp4"
            write_mp4(path, _panned(clip.frames), float(CLIP_RATE_HZ), clip.sound, clip.sample_rate_hz)
            content = path.read_bytes()
        clips.append(Query(f"{number}.mp4", content + _free_box(), len(content) + 8))
    return clips


def _jpeg_of_size(image: Image.Image) -> bytes:
    """Return the JPEG of the best quality that is no larger than wanted."""
    for quality in range(95, 20, -3):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() <= PICTURE_BYTES:
            break
    return file.getvalue()


def _panned(frames: np.ndarray) -> np.ndarray:
    width, height = CLIP_SIZE
    larger = [Image.fromarray(frame).resize((width + 96, height + 120), Image.Resampling.BILINEAR) for frame in frames]
    count = len(frames) * CLIP_RATE_HZ // 10
    panned = []
    for number in range(count):
        left, top = round(96 * number / count), round(60 + 60 * np.sin(number / 25))
        panned.append(np.asarray(larger[number * 10 // CLIP_RATE_HZ].crop((left, top, left + width, top + height))))
    return np.stack(panned)


def _free_box() -> bytes:
    """Return a box of an MP4 that players skip, with room for a stamp."""
    return (8 + STAMP_BYTES).to_bytes(4, "big") + b"free" + bytes(STAMP_BYTES)
