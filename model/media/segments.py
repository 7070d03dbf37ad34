"""One second of a recording: the unit that is encoded, indexed and found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import soxr
from jaxtyping import Float32, UInt8

from model.errors import NotFinite
from model.media.spans import Spans

SAMPLE_RATE_HZ = 16_000
SHORTEST_REST_S = 0.5  # a last part that is shorter is dropped, a longer one padded with silence
SILENCE_DBFS = -60.0  # a second of sound with a lower RMS level counts as silent: no audio latent
LONGEST_JITTER_S = 0.03  # a smaller jump or drift of the timestamps is no gap in the sound and no overlap
MOST_SILENT_SAMPLES = 1_000_000  # of one block of silence: a file may declare any sample rate
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
    """Hold samples at their native rate, mono unless channels were asked for; the first one is heard at start_s."""

    start_s: float
    sample_rate_hz: int
    samples: Float32[np.ndarray, "*channels samples"]
    whole: bool = True

    @property
    def length(self) -> int:
        """Return how many samples a channel has."""
        return int(self.samples.shape[-1])

    @property
    def end_s(self) -> float:
        """Return the time in seconds at which the last sample ends."""
        return self.start_s + self.length / self.sample_rate_hz


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """Hold a picture that is shown in [start_s, end_s); `rgb()` converts it, which is the costly part."""

    start_s: float
    end_s: float
    rgb: Callable[[], UInt8[np.ndarray, "height width 3"]]
    whole: bool = True


@dataclass(frozen=True)
class Lost:
    """Stand between the blocks or frames of a track for the stretch [start_s, end_s) that could not be decoded."""

    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class SoundSecond:
    """Hold a second of sound at 16 kHz, whether all of it is whole, and how much of it was lost."""

    samples: Float32[np.ndarray, "16000"]
    whole: bool
    lost_s: float


@dataclass(frozen=True, eq=False)
class PictureSecond:
    """Hold the frame chosen for a second, not converted yet; None where there is none.

    `reaches_middle`: whether the picture lasts to the second's middle (true for a picture of one frame). `last`: the
    last frame so far, which stays on show.
    """

    rgb: Callable[[], UInt8[np.ndarray, "height width 3"]] | None
    reaches_middle: bool
    whole: bool = True
    lost_s: float = 0.0
    last: TimedFrame | None = None


def level_dbfs(sound: Float32[np.ndarray, "samples"]) -> float:
    """Return the RMS level in dB relative to full scale; -inf for digital silence."""
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return 20 * float(np.log10(rms)) if rms > 0 else float("-inf")


def cut_segments(blocks: Iterable[SoundBlock | Lost], frames: Iterable[TimedFrame | Lost]) -> Iterator[Segment]:
    """Yield a recording's segments in order; both tracks are read side by side, never far ahead.

    The last second is dropped if neither track reaches its middle. The last frame stays on show while the sound goes
    on, as a player holds it. Raises NotFinite.
    """
    last: TimedFrame | None = None
    for start_s, (sound, shown) in enumerate(zip_longest(cut_sound(blocks), pick_frames(frames))):
        last = shown.last if shown is not None else last
        picture = shown or PictureSecond(last.rgb if last else None, False, last is None or last.whole)
        if sound is None and not picture.reaches_middle:
            continue
        audible = sound is not None and level_dbfs(sound.samples) >= SILENCE_DBFS
        yield Segment(
            start_s,
            sound.samples if sound is not None and audible else None,
            picture.rgb() if picture.rgb is not None else None,
            sound_whole=sound is None or sound.whole,
            frame_whole=picture.whole,
            lost_s=max(sound.lost_s if sound is not None else 0.0, picture.lost_s),
        )


def pick_frames(frames: Iterable[TimedFrame | Lost]) -> Iterator[PictureSecond]:
    """Yield for each second t = 0, 1, ... the frame nearest to t + 0.5.

    Only frames that begin in [t, t + 1) are considered; without any it is the frame that is still shown, or None.
    """
    second, count = 0, 0
    best: TimedFrame | None = None
    last: TimedFrame | None = None
    lost = Spans()
    for frame in frames:
        while frame.start_s >= second + 1:
            # The last frame is shown until another replaces it, whatever duration it declares.
            yield _picture_second(second, best, last, lost, reaches_middle=True)
            second, best = second + 1, None
        if isinstance(frame, Lost):
            lost.add(frame.start_s, frame.end_s)
            continue
        if frame.start_s >= second and (best is None or _nearer(frame, best, second + 0.5)):
            best = frame
        last, count = frame, count + 1
    if best is not None:
        reaches_middle = count == 1 or max((last or best).end_s, lost.end_s) >= second + 0.5
        yield _picture_second(second, best, last, lost, reaches_middle)
        second += 1
    elif second == 0 and last is not None:  # all were shown before time zero, the last one stands
        yield _picture_second(second, None, last, lost, reaches_middle=False)
        second += 1
    while max(last.end_s if last is not None else 0.0, lost.end_s) > second + 0.5:
        yield _picture_second(second, None, last, lost, reaches_middle=True)
        second += 1


def _picture_second(
    second: int, best: TimedFrame | None, last: TimedFrame | None, lost: Spans, reaches_middle: bool
) -> PictureSecond:
    chosen, lost_s = best or last, lost.overlap_s(second)
    # A frame that is held through a lost stretch may not be what was to be seen.
    whole = chosen is None or (chosen.whole and (best is not None or lost_s == 0))
    return PictureSecond(chosen.rgb if chosen else None, reaches_middle, whole, lost_s, last)


def _nearer(frame: TimedFrame, best: TimedFrame, middle_s: float) -> bool:
    return abs(frame.start_s - middle_s) + TIE_S < abs(best.start_s - middle_s)


def cut_sound(blocks: Iterable[SoundBlock | Lost]) -> Iterator[SoundSecond]:
    """Yield the seconds of a sound at 16 kHz; a last part under half a second is dropped, a longer one padded.

    Raises NotFinite.
    """
    waiting: list[np.ndarray] = []
    held, second = 0, 0
    lost, broken = Spans(), Spans()
    for piece in resample(_spans_noted(fill_gaps(blocks), lost, broken)):
        waiting.append(piece)
        held += len(piece)
        if held >= SAMPLE_RATE_HZ:
            sound = np.concatenate(waiting)
            whole = held - held % SAMPLE_RATE_HZ
            for samples in sound[:whole].reshape(-1, SAMPLE_RATE_HZ):
                yield SoundSecond(samples, broken.overlap_s(second) == 0, lost.overlap_s(second))
                second += 1
            waiting, held = [sound[whole:]], held - whole
    if held >= SHORTEST_REST_S * SAMPLE_RATE_HZ:
        samples = np.pad(np.concatenate(waiting), (0, SAMPLE_RATE_HZ - held))
        yield SoundSecond(samples, broken.overlap_s(second) == 0, lost.overlap_s(second))


def _spans_noted(blocks: Iterable[tuple[SoundBlock, bool]], lost: Spans, broken: Spans) -> Iterator[SoundBlock]:
    for block, is_lost in blocks:
        if is_lost:
            lost.add(block.start_s, block.end_s)
        if is_lost or not block.whole:
            broken.add(block.start_s, block.end_s)
        yield block


def resample(blocks: Iterable[SoundBlock]) -> Iterator[Float32[np.ndarray, "samples"]]:
    """Yield the sound at 16 kHz in pieces; the blocks follow each other without gaps."""
    rate_hz, stream = 0, None
    for block in blocks:
        if block.sample_rate_hz != rate_hz:  # the first block, or a stream that changes its rate midway
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
            rate_hz = block.sample_rate_hz
            stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        assert stream is not None
        yield stream.resample_chunk(block.samples)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def fill_gaps(blocks: Iterable[SoundBlock | Lost]) -> Iterator[tuple[SoundBlock, bool]]:
    """Yield the sound from time zero on without gaps and overlaps, and for each block whether it stands for a loss.

    The stamps are followed: before the first block and in each gap there is silence, in pieces of at most a second;
    samples of a time that was heard already are left out. Raises NotFinite.
    """
    end_s, rate_hz = 0.0, SAMPLE_RATE_HZ
    first, lost_until_s = True, 0.0
    for block in blocks:
        if isinstance(block, Lost):
            lost_until_s = block.end_s
            if first:
                continue
            for silence in _silence(end_s, round((lost_until_s - end_s) * rate_hz), rate_hz):
                yield silence, True
                end_s = silence.end_s
            continue
        _check_finite(block)
        rate_hz = block.sample_rate_hz
        gap_s = block.start_s - end_s
        if gap_s > (0 if first else LONGEST_JITTER_S):
            for silence in _silence(end_s, round(gap_s * rate_hz), rate_hz):
                yield silence, first and silence.start_s < lost_until_s
            end_s = block.start_s
        samples = block.samples
        if gap_s < -(0 if first else LONGEST_JITTER_S):
            samples = samples[..., round(-gap_s * rate_hz) :]
        first = first and samples.shape[-1] == 0
        yield SoundBlock(end_s, rate_hz, samples, block.whole), False
        end_s += samples.shape[-1] / rate_hz
    if first:
        for silence in _silence(end_s, round((lost_until_s - end_s) * rate_hz), rate_hz):
            yield silence, True


def _check_finite(block: SoundBlock) -> None:
    if not np.isfinite(block.samples).all():
        raise NotFinite(
            f"The sound holds NaN or infinite samples near {block.start_s:.1f} s; "
            "finite samples are expected. Export the sound again."
        )


def _silence(start_s: float, length: int, rate_hz: int) -> Iterator[SoundBlock]:
    most = min(rate_hz, MOST_SILENT_SAMPLES)
    for done in range(0, length, most):
        yield SoundBlock(start_s + done / rate_hz, rate_hz, np.zeros(min(most, length - done), np.float32))
