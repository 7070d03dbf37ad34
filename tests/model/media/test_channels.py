"""Channels are mixed by their layout, and no sound is lost where they cancel."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.layout import AudioLayout
from media_samples import loudest_hz, tone, write_channels, write_sound

from model.media.channels import Mixer, weigh
from model.media.medium import open_medium
from model.media.segments import Segment

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)


def mix(*channels: np.ndarray, names: tuple[str, ...] = ()) -> np.ndarray:
    """Return a second of sound, mixed in one block."""
    return Mixer().mix(np.stack(channels).astype(np.float32), names, RATE_HZ)


def rms(samples: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples))))


def segments(path: Path) -> list[Segment]:
    """Return a recording's seconds."""
    return list(open_medium(path).segments())


@pytest.mark.parametrize(
    "layout",
    ["mono", "stereo", "2.1", "3.0", "4.0", "quad", "5.0", "5.1", "5.1(side)", "6.1", "7.1", "7.1(wide)", "7.1.4"],
)
def test_a_layout_is_mixed_as_by_ffmpeg(layout: str) -> None:
    """The weights are those of libswresample's mix to mono, measured channel by channel."""
    channels = AudioLayout(layout).channels
    weights = weigh([channel.name for channel in channels], len(channels))
    for number, weight in enumerate(weights):
        packed = np.zeros((1, 100 * len(channels)), np.int16)
        packed[0, number :: len(channels)] = 20_000
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = RATE_HZ
        (mono,) = av.AudioResampler(format="s16", layout="mono").resample(frame)
        assert mono.to_ndarray()[0, 50] / 20_000 == pytest.approx(weight, abs=1e-4)


def test_stereo_is_the_mean_to_the_bit() -> None:
    """Ordinary stereo, one-sided stereo and mono keep the bits that they had before channels were weighted."""
    left, right = tone(1), NOISE
    assert np.array_equal(mix(left, right), np.stack([left, right]).mean(axis=0, dtype=np.float32))
    assert np.array_equal(mix(left, 0 * left), np.stack([left, 0 * left]).mean(axis=0, dtype=np.float32))
    assert np.array_equal(mix(left), left)
    whole = (np.stack([left, right]) * 32767).astype(np.int16)
    assert np.array_equal(Mixer().mix(whole, (), RATE_HZ), (whole.mean(axis=0) / 32768).astype(np.float32))


@pytest.mark.parametrize("share", [-1.0, -0.8, -0.7, -1.2])
def test_stereo_in_opposite_phase_is_heard(share: float) -> None:
    """Where the right channel is the left turned over, wholly or in part, one of them is taken at its own level."""
    sound = mix(tone(1), share * tone(1))
    assert rms(sound) >= 0.99 * rms(tone(1)) * min(1.0, -share)


def test_opposite_phase_with_noise_is_heard() -> None:
    """Noise that does not cancel must not pass for the sound."""
    other = np.random.default_rng(1).normal(0, 0.1, RATE_HZ)
    sound = mix(tone(1) + NOISE, -tone(1) + other)
    assert loudest_hz(sound) == 440
    assert rms(sound) > 0.9 * rms(tone(1))


def test_surround_whose_fronts_cancel_is_heard() -> None:
    """The loudest channel that counts is taken, never the low frequencies, however loud."""
    names = ("FL", "FR", "FC", "LFE", "BL", "BR")
    quiet = np.zeros(RATE_HZ, np.float32)
    sound = mix(tone(1), -tone(1), 0.01 * NOISE, 1.5 * tone(1, frequency_hz=60), quiet, quiet, names=names)
    assert np.array_equal(sound, tone(1))


def test_no_microphone_of_a_field_recorder_is_lost() -> None:
    """Six channels without a layout pass for 5.1; what is in the fourth alone is heard."""
    quiet = np.zeros(RATE_HZ, np.float32)
    assert np.array_equal(mix(quiet, quiet, quiet, tone(1), quiet, quiet), tone(1))


def test_sound_that_cancels_throughout_does_not_click() -> None:
    """The same channel is taken in each block, whichever is a little louder."""
    length = 8 * RATE_HZ
    loud = 1 + 0.1 * np.sin(np.arange(length) / 3000)
    left = tone(8)
    right = (-left * loud).astype(np.float32)
    mixer = Mixer()
    blocks = [
        mixer.mix(np.stack([left[at : at + 1000], right[at : at + 1000]]), (), RATE_HZ) for at in range(0, length, 1000)
    ]
    assert np.array_equal(np.concatenate(blocks), left)


def test_going_over_to_a_channel_does_not_click() -> None:
    """Stereo that turns into opposite phase is faded from the mean to the channel: no step exceeds the tone's own."""
    left = tone(4)
    right = np.concatenate([left[: 2 * RATE_HZ], -left[2 * RATE_HZ :]])
    mixer = Mixer()
    blocks = [
        mixer.mix(np.stack([left[at : at + 8000], right[at : at + 8000]]), (), RATE_HZ)
        for at in range(0, 4 * RATE_HZ, 8000)
    ]
    sound = np.concatenate(blocks)
    assert np.abs(np.diff(sound)).max() < 1.1 * np.abs(np.diff(left)).max()
    assert rms(sound[3 * RATE_HZ :]) > 0.99 * rms(left)


def test_samples_that_are_not_finite_pass() -> None:
    """They are refused by name later, whatever the mixer makes of them."""
    broken = tone(1)
    broken[5] = np.nan
    assert np.isnan(mix(broken, -broken)[5])


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_sound_file_that_cancels_is_heard(tmp_path: Path, suffix: str) -> None:
    """A sound file in opposite phase gives its sound."""
    path = write_sound(tmp_path / f"a.{suffix}", np.stack([tone(3, 48000), -tone(3, 48000)], axis=1))
    assert [round(rms(s.sound), 2) for s in segments(path) if s.sound is not None] == [0.35] * 3


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "pcm_s16le"), ("wav", "pcm_s16le")])
@pytest.mark.parametrize("layout", ["5.1", "7.1"])
def test_a_container_with_surround_sound_is_mixed_by_weights(
    tmp_path: Path, suffix: str, codec: str, layout: str
) -> None:
    """The low frequencies are left out and the centre counts most. Eight planes crashed PyAV 18.1."""
    count = AudioLayout(layout).nb_channels
    channels = np.zeros((count, 3 * 48000), np.float32)
    channels[2], channels[3] = tone(3, 48000, 1000), tone(3, 48000, 60)
    sound = segments(write_channels(tmp_path / f"a.{suffix}", channels, layout, codec))[1].sound
    assert sound is not None
    assert loudest_hz(sound) == 1000
    expected = rms(tone(1)) / (1 + 2 * 0.5**0.5 + 0.5 * (count - 4))
    assert rms(sound) == pytest.approx(expected, rel=0.03)


def test_a_layout_without_a_name_does_not_crash(tmp_path: Path) -> None:
    """PyAV 18.1 frees the channels of such a layout twice, which ended the process."""
    path = tmp_path / "a.caf"
    samples = np.stack([tone(3, 48000)] * 4, axis=1)
    labels = b"".join(n.to_bytes(4, "big") + bytes(16) for n in (2, 1, 1, 2))  # right, left, left, right
    layout = bytes(8) + (4).to_bytes(4, "big") + labels
    data = bytes(4) + (samples * 32767).astype(">i2").tobytes()
    facts = np.array([48000], ">f8").tobytes() + b"lpcm" + np.array([0, 8, 1, 4, 16], ">u4").tobytes()
    chunks = (b"desc", facts), (b"chan", layout), (b"data", data)
    path.write_bytes(b"caff\0\1\0\0" + b"".join(name + len(body).to_bytes(8, "big") + body for name, body in chunks))
    assert [s.sound is not None and loudest_hz(s.sound) for s in segments(path)] == [440] * 3
