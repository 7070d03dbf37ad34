"""What a front-end must keep to, checked on known sounds, pictures and texts before it computes anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from model.errors import FrontEndError, QueryError
from model.frontends.frontend import FrontEnd, as_features
from model.frontends.known_answers import check_known_answers
from model.frontends.prior import Prior
from model.media.segments import SAMPLE_RATE_HZ
from model.modality import MODALITIES, Modality

IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it names a directory of the library
SAME = 1e-5  # of their length: so little is the rounding of float32
UNIT = 1e-3  # how far from 1 the length of a unit vector may be
GRID = 16  # the network halves the height and width of features in two or three dimensions four times


TEXTS = ("a dog barks", "rain falls on leaves")


def check_front_end(front_end: object, name: str, directory: Path, keep: bool = True) -> FrontEnd:
    """Return a front-end that keeps to the contract, as far as two sounds, two pictures and two texts show.

    Its answers to these must be those that `directory` holds from its first use; then they are written there if `keep`.

    Raises:
        FrontEndError: it does not; what was found, and what was expected.
    """
    if not isinstance(front_end, FrontEnd):
        raise FrontEndError(f"{type(front_end).__name__} given, a model.frontends.frontend.FrontEnd expected")
    given = getattr(front_end, "name", None)
    if given != name:
        raise FrontEndError(f"its name is {given!r}, {name!r} expected, as its entry point says")
    identity = getattr(front_end, "identity", None)
    if not isinstance(identity, str) or not IDENTITY.fullmatch(identity) or not identity.startswith(f"{name}-"):
        raise FrontEndError(
            f"its identity is {identity!r}; {name}- and a version or a hash of its weights expected, at most 100 "
            "letters, digits, dots, dashes and underscores"
        )
    if not isinstance(front_end.prior, Prior | None):
        raise FrontEndError(f"its prior is {type(front_end.prior).__name__}, a Prior or None expected")
    answers: dict[str, np.ndarray] = {}
    for modality in MODALITIES:
        answers |= _checked_features(front_end, modality)
    if front_end.prior is None and front_end.reads_text:  # words that a prior knows are looked up in a table
        for modality in MODALITIES:
            answers |= _checked_texts(front_end, modality)
    if front_end.shares_space:
        _check_space(list(answers.values()))
    check_known_answers(front_end, answers, directory, keep)
    return front_end


def probe_sounds() -> tuple[Float32[np.ndarray, "16000"], Float32[np.ndarray, "16000"]]:
    """Return a low tone, and a burst of noise."""
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ) * np.exp(-5 * time_s)
    return (0.3 * np.sin(2 * np.pi * 200 * time_s)).astype(np.float32), (0.1 * noise).astype(np.float32)


def probe_pictures() -> tuple[UInt8[np.ndarray, "48 64 3"], UInt8[np.ndarray, "90 70 3"]]:
    """Return a ramp from black to white, and red and green squares, of different sizes."""
    ramp = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (48, 64, 3)).copy()
    squares = np.zeros((90, 70, 3), np.uint8)
    even = (np.arange(90)[:, None] // 10 + np.arange(70)[None] // 10) % 2 == 0
    squares[even, 0], squares[~even, 1] = 255, 255
    return ramp, squares


def _check_space(rows: list[np.ndarray]) -> None:
    lengths = [float(np.linalg.norm(row)) for row in rows]
    if any(row.shape != rows[0].shape for row in rows) or any(abs(length - 1) > UNIT for length in lengths):
        shapes, told = {row.shape for row in rows}, ", ".join(f"{length:.3g}" for length in lengths)
        raise FrontEndError(
            "its sounds and pictures are said to share a space, so unit vectors of one size are expected, but known "
            f"inputs have features of the shapes {', '.join(map(str, sorted(shapes)))} and the lengths {told}"
        )


def _checked_features(front_end: FrontEnd, modality: Modality) -> dict[str, np.ndarray]:
    shape = getattr(front_end, f"{modality}_shape", None)
    if (
        not isinstance(shape, tuple)
        or not 1 <= len(shape) <= 3
        or not all(isinstance(n, int) and n > 0 for n in shape)
        or any(n % GRID for n in shape[-2:] if len(shape) > 1)
    ):
        raise FrontEndError(
            f"its {modality}_shape is {shape!r}; (numbers,), (height, width) or (channels, height, width) expected, "
            f"positive, height and width multiples of {GRID}"
        )
    if modality == "audio":
        tone, noise = map(front_end.audio, probe_sounds())
        return _differing({"a tone": tone, "a burst of noise": noise}, shape, modality)
    ramp, squares = map(front_end.visual, probe_pictures())
    return _differing({"a ramp": ramp, "coloured squares": squares}, shape, modality)


def _checked_texts(front_end: FrontEnd, target: Modality) -> dict[str, np.ndarray]:
    try:
        answers = {f"the text {text!r} for {target}": front_end.text(text, target) for text in TEXTS}
    except QueryError as error:
        raise FrontEndError(f"it cannot read a known text: {error}") from error
    return _differing(answers, front_end.shape_of(target), target)


def _differing(
    answers: Mapping[str, object], shape: tuple[int, ...], modality: Modality
) -> dict[str, Float32[np.ndarray, "..."]]:
    """Return the answers to two inputs, which must be features and not the same."""
    checked = {asked: as_features(given, shape, f"its {modality} features are") for asked, given in answers.items()}
    if not all(np.isfinite(features).all() for features in checked.values()):
        raise FrontEndError(f"its {modality} features of a known second are not finite")
    first, second = checked.values()
    if np.linalg.norm(first - second) <= SAME * np.linalg.norm(first):
        raise FrontEndError(f"its {modality} features of {' and '.join(checked)} are equal, different ones expected")
    return checked
