"""Where Echolens and FFmpeg disagree about a file, second by second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from benchmarks.media_matrix.decoded import Second
from benchmarks.media_matrix.truth import COLOURS, colour_of, place_of_picture, place_of_sound

MOST_PAIR_OFF_S = 0.04
READING_S = 0.005  # how well the bar and the tone are read back
MOST_PLACE_OFF_S = 0.1  # of a whole second: encoders' delays, which no container of theirs tells
MOST_LEVEL_OFF_DB, MOST_DAMAGED_LEVEL_OFF_DB = 1.0, 2.0
MOST_COLOUR_OFF = 12.0  # of 255
MOST_ASPECT_OFF = 0.03
MOST_CELLS_OFF, CELL_OFF = 0.12, 60.0  # share of a picture's cells that may differ by so much: blocks, the bar's edge
SILENT_DB = -60.0


@dataclass(frozen=True)
class Disagreement:
    """Hold what differs: which check, in which second (None: in all of the file), and both values."""

    check: str
    second: int | None
    ours: str
    theirs: str

    def __str__(self) -> str:
        where = "" if self.second is None else f" second {self.second}:"
        return f"{self.check}:{where} echolens {self.ours}, ffmpeg {self.theirs}"


def compare(
    ours: list[Second] | str,
    theirs: list[Second],
    frame_s: float,
    *,
    whole: list[Second] | None = None,
    lag_s: float = 0.0,
) -> list[Disagreement]:
    """Return where ours are as neither FFmpeg decodes the file nor the truth is.

    `whole`: what FFmpeg decodes of the file before it was damaged; ours may be as either. `lag_s`: how much later the
    sound of a moment comes than its picture.
    """
    if isinstance(ours, str):
        return [Disagreement("refused", None, ours, f"{len(theirs)} s")]
    found = []
    if len(ours) not in {len(theirs), len(whole or theirs)}:
        found.append(Disagreement("length", None, f"{len(ours)} s", f"{len(theirs)} s"))
    if whole is None and (
        told := [n for n, second in enumerate(ours) if not second.sound_whole * second.picture_whole]
    ):
        found.append(Disagreement("damage", told[0], f"finds some in {len(told)} seconds", "decodes it whole"))
    for number, second in enumerate(ours):
        known = [seconds[number] for seconds in (theirs, whole or []) if number < len(seconds)]
        cut_off = number >= len(theirs) and second.lost_s > 0  # behind what ffmpeg decodes, and told as lost
        if known and not cut_off:
            found += _level(number, second, known)
            found += _picture(number, second, known)
            found += _times(number, second, known, frame_s, lag_s)
    return found


def _level(number: int, ours: Second, known: list[Second]) -> list[Disagreement]:
    levels = [level_db(second.sound) for second in known]
    level = level_db(ours.sound)
    tolerated = MOST_LEVEL_OFF_DB
    if not ours.sound_whole:  # each fills in what is missing in its way, but nothing that decodes is left out
        tolerated, level = MOST_DAMAGED_LEVEL_OFF_DB, min(level, min(levels))
    if min(abs(level - other) for other in levels) <= tolerated:
        return []
    return [Disagreement("level", number, f"{level_db(ours.sound):.1f} dB", f"{levels[0]:.1f} dB")]


def level_db(sound: Float32[np.ndarray, "16000"] | None) -> float:
    """Return the level of a sound; silence has one too, so that two kinds of silence are equal."""
    if sound is None:
        return SILENT_DB
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return max(SILENT_DB, 20 * float(np.log10(max(rms, 1e-9))))


def _picture(number: int, ours: Second, known: list[Second]) -> list[Disagreement]:
    pictures = [second for second in known if second.picture is not None]
    if ours.picture is None or not pictures:
        if (ours.picture is None) == (not pictures):
            return []
        return [Disagreement("picture", number, _there(ours), _there(known[0]))]
    found = []
    colour = colour_of(ours.picture)
    right = [*COLOURS[number : number + 1], *(colour_of(_picture_of(second)) for second in pictures)]
    if min(float(np.abs(colour - other).max()) for other in right) > MOST_COLOUR_OFF and ours.picture_whole:
        found.append(Disagreement("colour", number, _colour(ours.picture), _colour(_picture_of(pictures[0]))))
    elif (
        ours.picture_whole
        and min(_cells_off(ours.picture, _picture_of(second)) for second in pictures) > MOST_CELLS_OFF
    ):
        shares = [f"{_cells_off(ours.picture, _picture_of(second)):.0%} of the cells" for second in pictures]
        found.append(Disagreement("picture", number, f"differs in {shares[0]}", "shows another"))
    aspects = [second.aspect for second in pictures if second.aspect]
    if ours.aspect and min(abs(ours.aspect / aspect - 1) for aspect in aspects) > MOST_ASPECT_OFF:
        found.append(Disagreement("aspect", number, f"{ours.aspect:.3f}", f"{aspects[0]:.3f}"))
    return found


def _picture_of(second: Second) -> UInt8[np.ndarray, "48 64 3"]:
    assert second.picture is not None
    return second.picture


def _there(second: Second) -> str:
    return "none" if second.picture is None else "a picture"


def _colour(picture: UInt8[np.ndarray, "48 64 3"]) -> str:
    return str(tuple(round(float(level)) for level in colour_of(picture)))


def _cells_off(one: UInt8[np.ndarray, "48 64 3"], other: UInt8[np.ndarray, "48 64 3"]) -> float:
    return float((np.abs(one.astype(float) - other).max(axis=2) > CELL_OFF).mean())


def _times(number: int, ours: Second, known: list[Second], frame_s: float, lag_s: float) -> list[Disagreement]:
    """Check that picture and sound are of one moment, and that the moment is that of the second."""
    offs = [offsets(second, number, lag_s) for second in known]
    pair_s, sound_s, picture_s = offsets(ours, number, lag_s)
    tolerated_s = max(MOST_PAIR_OFF_S, frame_s) + READING_S
    if pair_s is not None:
        pairs_s = [off[0] for off in offs if off[0] is not None]
        if min(abs(pair_s - other_s) for other_s in [0.0, *pairs_s]) > tolerated_s and ours.picture_whole:
            theirs = f"{pairs_s[0]:+.3f} s" if pairs_s else "none"
            return [Disagreement("pair", number, f"{pair_s:+.3f} s", theirs)]
    for name, off_s, others_s in (
        ("place of sound", sound_s, [off[1] for off in offs]),
        ("place of picture", picture_s, [off[2] for off in offs]),
    ):
        expected_s = [other_s for other_s in others_s if other_s is not None]
        whole = ours.picture_whole if name.endswith("picture") else ours.sound_whole
        if off_s is None or not whole:
            continue
        if min((abs(off_s - other_s) for other_s in expected_s), default=0.0) > MOST_PLACE_OFF_S + tolerated_s:
            return [Disagreement(name, number, f"{off_s:+.3f} s", f"{expected_s[0]:+.3f} s")]
    return []


def offsets(second: Second, number: int, lag_s: float = 0.0) -> tuple[float | None, float | None, float | None]:
    """Return how far off the truth a second is: its picture against its sound, its sound, its picture."""
    heard_s = None if second.sound is None else place_of_sound(second.sound)
    seen_s = None if second.picture is None else place_of_picture(second.picture)
    sound_s = None if heard_s is None else heard_s - number
    picture_s = None if seen_s is None else seen_s - number - 0.5
    pair_s = None if sound_s is None or picture_s is None else picture_s - sound_s - lag_s
    return pair_s, sound_s, picture_s
