"""Plain WAV files in memory: the same bits as from the disk, and nothing that is not quite plain."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.media.encoding import encode_wav
from model.media.medium import Limits, open_medium, open_plain
from model.media.plain_wav import HEAD, PlainWav


def written(samples: np.ndarray, rate_hz: int, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype, format=form)
    return file.getvalue()


def noise(seed: int, length: int, channels: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**15), 2**15, (length, channels), dtype=np.int16)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length_s", [0.6, 1.0, 3.3])
def test_a_held_file_gives_the_bits_of_one_on_the_disk(
    tmp_path: Path, rate_hz: int, channels: int, length_s: float
) -> None:
    """From any second on, and the same account of it."""
    content = written(noise(rate_hz, round(length_s * rate_hz), channels), rate_hz)
    path = tmp_path / "sound.wav"
    path.write_bytes(content)
    on_disk, held = open_medium(path), open_plain("sound.wav", content)
    assert held is not None
    assert (held.duration_s, held.media_type, held.kind) == (on_disk.duration_s, "audio/wav", "sound")
    for start_s in (0, 1, 2):
        expected, got = on_disk.segments(start_s), held.segments(start_s)
        pairs = list(zip(expected, got, strict=True))
        assert len(pairs) == max(0, int(length_s + 0.5) - start_s)
        for one, other in pairs:
            assert one.start_s == other.start_s
            assert one.sound is not None
            np.testing.assert_array_equal(one.sound, other.sound)
        assert (expected.loss_s, expected.notes) == (got.loss_s, got.notes)


def test_stereo_in_opposite_phase_is_mixed_as_on_the_disk(tmp_path: Path) -> None:
    """The mixer remembers from block to block."""
    left = noise(1, 48_000 * 3, 1)
    content = written(np.concatenate([left, -(left // 2)], axis=1), 48_000)
    (tmp_path / "sound.wav").write_bytes(content)
    held = open_plain("sound.wav", content)
    assert held is not None
    for one, other in zip(open_medium(tmp_path / "sound.wav").segments(), held.segments(), strict=True):
        np.testing.assert_array_equal(one.sound, other.sound)


def test_what_programs_write_is_plain() -> None:
    """The standard library, libsndfile, and our own writer."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes(noise(0, 44_100, 2).tobytes())
    for content in (file.getvalue(), written(noise(0, 8_000, 1), 8_000), encode_wav(np.zeros(16_000, np.float32))):
        assert PlainWav.of(content) is not None


def test_what_is_not_quite_plain_is_left_to_the_decoders() -> None:
    """Other depths and forms, one byte too few or too many, a size that lies, a rate or layout that none has."""
    plain = written(noise(0, 16_000, 2), 16_000)
    others = [written(noise(0, 800, 1), 16_000, subtype) for subtype in ("PCM_24", "PCM_32", "PCM_U8", "FLOAT", "ULAW")]
    others += [written(noise(0, 800, 1), 16_000, form=form) for form in ("WAVEX", "RF64", "FLAC", "AIFF")]
    others += [written(noise(0, 800, 3), 16_000), plain[:-1], plain[:-4], plain + b"\0", plain[:44], plain[:20], b""]
    assert [PlainWav.of(content) for content in others] == [None] * len(others)
    fields = HEAD.unpack_from(plain)
    for number, field in enumerate(fields):
        for other in (0, 1, 3, 7, 999, 2**32 - 1) if isinstance(field, int) else (b"LIST", b"RIFX"):
            try:
                head = HEAD.pack(*fields[:number], other, *fields[number + 1 :])
            except struct.error:  # too large for the field
                continue
            assert (PlainWav.of(head + plain[HEAD.size :]) is None) == (other != field), (number, other)


def test_what_is_too_large_or_too_long_is_left_to_be_refused() -> None:
    """Its error comes from where all others come from."""
    content = written(noise(0, 16_000 * 3, 1), 16_000)
    assert open_plain("sound.wav", content, Limits(decoded_s=3.0)) is not None
    assert open_plain("sound.wav", content, Limits(decoded_s=2.0)) is None
    assert open_plain("sound.wav", content, Limits(bytes=len(content) - 1)) is None
