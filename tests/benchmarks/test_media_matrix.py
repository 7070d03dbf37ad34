"""The comparison of the media matrix notices what it is there to notice (benchmarks/media_matrix)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.media_matrix.__main__ import combinations
from benchmarks.media_matrix.comparison import compare
from benchmarks.media_matrix.damage import damaged
from benchmarks.media_matrix.decoded import Second
from benchmarks.media_matrix.known import KNOWN
from benchmarks.media_matrix.truth import frame_at, place_of_picture, place_of_sound, small, sound_at

FRAME_S = 0.04
SOUND = sound_at(16_000).astype(np.float32)


def second(number: int, *, sound_off_s: float = 0.0, picture_off_s: float = 0.0, gain_db: float = 0.0) -> Second:
    """Return a second of the truth, or what is off it."""
    start = round(16_000 * (number + sound_off_s))
    sound = np.roll(SOUND, -start)[:16_000] * np.float32(10 ** (gain_db / 20))
    picture = small(frame_at(Fraction(round(1000 * (number + 0.48 + picture_off_s)), 1000)))
    return Second(sound, picture, 4 / 3)


TRUTH = [second(number) for number in range(4)]


def checks(ours: list[Second] | str, **more: object) -> Counter[str]:
    """Return how often each check found something."""
    return Counter(found.check for found in compare(ours, TRUTH, FRAME_S, **more))  # type: ignore[arg-type]


def changed(change: Callable[[Second], Second]) -> list[Second]:
    """Return the truth with its third second changed."""
    return [*TRUTH[:2], change(TRUTH[2]), TRUTH[3]]


def test_the_truth_agrees_with_itself() -> None:
    """Small differences that decoders may have are none."""
    assert not checks(TRUTH)
    assert not checks([second(number, sound_off_s=0.02, picture_off_s=0.04, gain_db=0.8) for number in range(4)])


@pytest.mark.parametrize(
    ("off", "check"),
    [
        ({"picture_off_s": 0.1}, "pair"),
        ({"picture_off_s": -0.1}, "pair"),
        ({"sound_off_s": 0.06}, "pair"),
        ({"picture_off_s": 1.0}, "pair"),
        ({"sound_off_s": -1.0}, "pair"),
        ({"sound_off_s": 0.3, "picture_off_s": 0.3}, "place of sound"),
        ({"gain_db": 1.3}, "level"),
        ({"gain_db": -1.3}, "level"),
    ],
)
def test_a_second_that_is_off_is_found(off: dict[str, float], check: str) -> None:
    """A wrong pairing of 60 ms, a right pair at a wrong place, a level that is 1.3 dB off."""
    assert checks([*TRUTH[:2], second(2, **off), TRUTH[3]])[check] == 1


def shade(seen: Second) -> Second:
    assert seen.picture is not None
    return replace(seen, picture=np.clip(seen.picture + np.array([0, 16, 0]), 0, 255).astype(np.uint8))


def mirror(seen: Second) -> Second:
    assert seen.picture is not None
    return replace(seen, picture=seen.picture[:, ::-1])


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (shade, "colour"),
        (mirror, "picture"),
        (lambda seen: replace(seen, picture=seen.picture[::-1]), "colour"),
        (lambda seen: replace(seen, picture=None), "picture"),
        (lambda seen: replace(seen, aspect=16 / 9), "aspect"),
        (lambda seen: replace(seen, sound=None), "level"),
        (lambda seen: replace(seen, sound=seen.sound * np.float32(0.5), sound_whole=False), "level"),
    ],
)
def test_a_second_that_looks_or_sounds_otherwise_is_found(change: Callable[[Second], Second], check: str) -> None:
    """A shade of 16, a mirrored or missing picture, another shape, silence, half a sound that is said to be damaged."""
    assert checks(changed(change))[check] == 1


def test_a_refusal_and_a_lost_second_are_found() -> None:
    """Neither decodes to nothing without a word."""
    assert checks("Damaged: it is broken") == {"refused": 1}
    assert checks(TRUTH[:3]) == {"length": 1}


def test_damage_that_is_none_is_found() -> None:
    """Of a whole file no second may be called damaged; of a damaged one it may."""
    ours = changed(lambda seen: replace(seen, picture_whole=False))
    assert checks(ours) == {"damage": 1}
    assert not checks(ours, whole=TRUTH)


def test_what_is_lost_may_be_as_before_the_damage() -> None:
    """Where FFmpeg conceals what is missing in another way, the sound and picture of the whole file are right too."""
    assert not compare(TRUTH, changed(lambda seen: replace(seen, sound=None)), FRAME_S, whole=TRUTH)


def test_a_lag_that_is_meant_is_no_wrong_pair() -> None:
    """Sound that a file itself plays 0.3 s late is to be paired so; in step it would be wrong."""
    late = [second(number, sound_off_s=-0.3) for number in range(1, 4)]
    assert not compare(late, late, FRAME_S, lag_s=0.3)
    found = compare([second(number) for number in range(1, 4)], late, FRAME_S, lag_s=0.3)
    assert [disagreement.check for disagreement in found] == ["pair"] * 3


def test_places_are_read_back() -> None:
    """Every picture and sound tells its time; noise, grey and silence tell none."""
    for time_s in (0.2, 1.48, 3.96):
        assert place_of_picture(small(frame_at(Fraction(round(100 * time_s), 100)))) == pytest.approx(time_s, abs=0.01)
    for time_s in (0.0, 0.25, 2.0, 3.1):
        heard = SOUND[round(16_000 * time_s) :][:16_000]
        assert place_of_sound(heard) == pytest.approx(time_s, abs=0.002)
    noise = np.random.default_rng(0).normal(0, 0.2, 16_000).astype(np.float32)
    assert place_of_sound(noise) is None
    assert place_of_sound(np.zeros(16_000, np.float32)) is None
    assert place_of_picture(np.zeros((48, 64, 3), np.uint8)) is None


def test_the_matrix_is_as_large_as_it_says() -> None:
    """At least 400 combinations, of every kind; every known disagreement has a reason and is of one of them."""
    every = combinations()
    assert len(every) >= 400
    assert len({combination.kind for combination in every}) >= 15
    assert all(known.reason for known in KNOWN)


def test_damage_follows_from_its_name() -> None:
    """The same packets are lost in every run, the first twenty never; a hole is 4 KiB; a cut takes an eighth."""
    content = bytes(range(1, 189)) * 1000
    lost = damaged(content, "lost 0.01 188")
    assert lost == damaged(content, "lost 0.01 188")
    assert lost[: 188 * 20] == content[: 188 * 20]
    assert 980 <= len(lost) / 188 <= 998
    assert damaged(content, "hole").count(0) == 4096
    assert len(damaged(content, "cut")) == 188 * 875
