"""One second of a recording: the unit that is encoded, indexed and found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import soxr
from jaxtyping import Float32, UInt8

from model.errors import NotFinite

SAMPLE_RATE_HZ = 16_000
SHORTEST_REST_S = 0.5  # a last part that is shorter is dropped, a longer one padded with silence
SILENCE_DBFS = -60.0  # a second of sound with a lower RMS level counts as silent: no audio latent
LONGEST_JITTER_S = 0.05  # a smaller jump of the timestamps is no gap in the sound
TIE_S = 1e-6  # where two frames are equally near to the middle within this, the earlier is taken


@dataclass(frozen=True, eq=False)
class Segment:
    """Hold the second [start_s, start_s + 1) of a recording.

    `sound`: 16 kHz mono, nominally in [-1, 1] (float sources may exceed it), None where there is none or it
    is silent. `frame`: RGB, upright, the one nearest to start_s + 0.5, None where there is none.
    `sound_whole`, `frame_whole`: whether it was decoded without damage (true where there is none). `lost_s`: how much
    of the second has neither been decoded nor can be: of its sound or of its picture, whichever is more.
    """

    start_s: int
    sound: Float32[np.ndarray, "16000"] | None
    frame: UInt8[np.ndarray, "height width 3"] | None
    sound_whole: bool = True
    frame_whole: bool = True
    lost_s: float = 0.0


@dataclass(frozen=True, eq=False)
class SoundBlock:
    """Hold mono samples at their native rate; the first one is heard at start_s."""

    start_s: float
    sample_rate_hz: int
    samples: Float32[np.ndarray, "samples"]

    @property
    def end_s(self) -> float:
        """Return the time in seconds at which the last sample ends."""
        return self.start_s + len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """Hold a picture that is shown in [start_s, end_s); `rgb()` converts it, which is the costly part."""

    start_s: float
    end_s: float
    rgb: Callable[[], UInt8[np.ndarray, "height width 3"]]


def level_dbfs(sound: Float32[np.ndarray, "samples"]) -> float:
    """Return the RMS level in dB relative to full scale; -inf for digital silence."""
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return 20 * float(np.log10(rms)) if rms > 0 else float("-inf")


def cut_segments(blocks: Iterable[SoundBlock], frames: Iterable[TimedFrame]) -> Iterator[Segment]:
    """Yield a recording's segments in order; both tracks are read side by side, never far ahead.

    The last second is dropped if neither track reaches its middle. Raises NotFinite.
    """
    seconds = zip_longest(cut_sound(blocks), pick_frames(frames))
    for start_s, (sound, picture) in enumerate(seconds):
        frame, reaches_middle = picture if picture is not None else (None, False)
        if sound is None and not reaches_middle:
            continue
        audible = sound is not None and level_dbfs(sound) >= SILENCE_DBFS
        yield Segment(start_s, sound if audible else None, frame() if frame is not None else None)


def pick_frames(
    frames: Iterable[TimedFrame],
) -> Iterator[tuple[Callable[[], UInt8[np.ndarray, "height width 3"]] | None, bool]]:
    """Yield for each second t = 0, 1, ... the frame nearest to t + 0.5, not converted yet.

    Only frames that begin in [t, t + 1) are considered; without any it is the frame that is still shown, or None.
    The bool says whether the picture reaches t + 0.5 (true for a picture of one frame).
    """
    second, count = 0, 0
    best: TimedFrame | None = None
    last: TimedFrame | None = None
    for frame in frames:
        while frame.start_s >= second + 1:
            # The last frame is shown until another replaces it, whatever duration it declares.
            chosen = best or last
            yield (chosen.rgb if chosen else None), True
            second, best = second + 1, None
        if frame.start_s >= second and (best is None or _nearer(frame, best, second + 0.5)):
            best = frame
        last, count = frame, count + 1
    if best is not None:
        yield best.rgb, count == 1 or (last or best).end_s >= second + 0.5
        second += 1
    while last is not None and last.end_s > second + 0.5:
        yield last.rgb, True
        second += 1


def _nearer(frame: TimedFrame, best: TimedFrame, middle_s: float) -> bool:
    return abs(frame.start_s - middle_s) + TIE_S < abs(best.start_s - middle_s)


def cut_sound(blocks: Iterable[SoundBlock]) -> Iterator[Float32[np.ndarray, "16000"]]:
    """Yield the seconds of a sound at 16 kHz; a last part under half a second is dropped, a longer one padded.

    Raises NotFinite.
    """
    waiting: list[np.ndarray] = []
    held = 0
    for piece in resample(blocks):
        waiting.append(piece)
        held += len(piece)
        if held >= SAMPLE_RATE_HZ:
            sound = np.concatenate(waiting)
            whole = held - held % SAMPLE_RATE_HZ
            yield from sound[:whole].reshape(-1, SAMPLE_RATE_HZ)
            waiting, held = [sound[whole:]], held - whole
    if held >= SHORTEST_REST_S * SAMPLE_RATE_HZ:
        yield np.pad(np.concatenate(waiting), (0, SAMPLE_RATE_HZ - held))


def resample(blocks: Iterable[SoundBlock]) -> Iterator[Float32[np.ndarray, "samples"]]:
    """Yield the sound at 16 kHz in pieces, from time zero on; gaps between the blocks are silence.

    Raises NotFinite.
    """
    rate_hz, stream = 0, None
    for block in fill_gaps(blocks):
        if block.sample_rate_hz != rate_hz:  # the first block, or a stream that changes its rate midway
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
            rate_hz = block.sample_rate_hz
            stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        assert stream is not None
        yield stream.resample_chunk(block.samples)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def fill_gaps(blocks: Iterable[SoundBlock]) -> Iterator[SoundBlock]:
    """Yield the blocks, with silence before the first and in each gap, in pieces of at most a second.

    Raises NotFinite.
    """
    end_s = 0.0
    for number, block in enumerate(blocks):
        if not np.isfinite(block.samples).all():
            raise NotFinite(
                f"The sound holds NaN or infinite samples near {block.start_s:.1f} s; "
                "finite samples are expected. Export the sound again."
            )
        gap_s = block.start_s - end_s
        if gap_s > (LONGEST_JITTER_S if number else 0):
            yield from _silence(end_s, round(gap_s * block.sample_rate_hz), block.sample_rate_hz)
            end_s = block.start_s
        samples = block.samples
        if end_s == 0 and gap_s < 0:  # samples before time zero are dropped
            samples = samples[round(-gap_s * block.sample_rate_hz) :]
        yield SoundBlock(end_s, block.sample_rate_hz, samples)
        end_s += len(samples) / block.sample_rate_hz


def _silence(start_s: float, length: int, rate_hz: int) -> Iterator[SoundBlock]:
    for done in range(0, length, rate_hz):
        yield SoundBlock(start_s + done / rate_hz, rate_hz, np.zeros(min(rate_hz, length - done), np.float32))
