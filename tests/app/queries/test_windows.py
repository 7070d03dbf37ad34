"""Which windows stand out, and how well the best one fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from latent_samples import clustered_latents

from app.media.timings import Timings
from app.queries.windows import Located, Seconds, Window, locate
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.network.match import Match
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization

LENGTH_S = 12
MATCH = Match({"audio-visual": (0.0, -1.0, 0.0, 0.0)}, {"audio-visual": (-3.0, 1.0)})


def encoder(match: Match | None = MATCH) -> Encoder:
    made = Checkpoint(MSVAE(Architecture((2,), (2,), latent=4, hidden=8)), Normalization((2,), (2,)), "raw", "raw-1")
    return Encoder(replace(made, match=match, temperature=0.5), torch.device("cpu"))


def found_in(query: range, seed: int = 0, match: Match | None = MATCH) -> Located:
    """Ask a clip by its own latents, or, of another seed, by those of another."""
    clip = clustered_latents(LENGTH_S)
    asked = clustered_latents(LENGTH_S, seed=seed)[list(query)]
    target = Seconds("visual", range(LENGTH_S), np.arange(LENGTH_S), clip)
    return locate(Seconds("audio", query, np.array(query), asked), target, encoder(match), "clip.mp4", Timings())


def test_the_own_window_stands_out_and_fits() -> None:
    """Seconds that find themselves: nothing unrelated would be as near."""
    found = found_in(range(4, 7))
    assert (found.start_s, found.end_s, found.stands_out) == (4, 7, True)
    assert (found.chance, found.fit) == (pytest.approx(0.0013, abs=2e-4), "strong")  # 1 - Phi(3), of a distance of 0


def test_what_is_unrelated_does_not_fit() -> None:
    """Some window is the nearest all the same."""
    found = found_in(range(4, 7), seed=9)
    assert found.chance is not None
    assert (found.chance > 0.75, found.fit) == (True, "nothing")


def test_a_model_without_calibration_says_nothing_of_a_fit() -> None:
    """Neither a chance nor a word."""
    found = found_in(range(4, 7), match=None)
    assert (found.chance, found.fit, found.start_s) == (None, None, 4)


@pytest.mark.parametrize(
    ("probabilities", "stands_out"),
    [
        ([1.0], False),
        ([0.6, 0.4], False),
        ([0.5, 0.3, 0.2, 0.0], True),
        ([0.25, 0.25, 0.25, 0.25], False),
        ([0.3, 0.25, 0.15, 0.1, 0.1, 0.05, 0.03, 0.02], True),
        ([0.29, 0.2, 0.16, 0.1, 0.1, 0.05, 0.05, 0.05], False),
    ],
)
def test_a_quarter_of_the_windows_holds_half_of_the_probability(probabilities: list[float], stands_out: bool) -> None:
    """A scene may hold several windows that are as likely; under four windows none can stand out."""
    windows = tuple(Window(start_s, 1.0, p) for start_s, p in enumerate(probabilities))
    assert replace(found_in(range(1)), windows=windows).stands_out is stands_out
