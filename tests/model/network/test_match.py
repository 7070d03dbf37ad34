"""From distances to probabilities, and to a verdict."""

from __future__ import annotations

import numpy as np
import pytest
from latent_samples import clustered_latents

from model.network.match import Asked, Match, verdict_of

EVERY = ("audio-audio", "audio-visual", "visual-audio", "visual-visual")
MATCH = Match(dict.fromkeys(EVERY, (3.0, -2.0, 0.5, -0.25)), dict.fromkeys(EVERY, (-1.0, 0.5)))


def test_a_match_is_a_logistic_function_of_distance_and_uncertainty() -> None:
    """Written out for each hit."""
    asked, found, distance = clustered_latents(1, seed=1), clustered_latents(4, seed=2), np.array([0.1, 1.0, 2.0, 9.0])
    logits = 3 - 2 * distance + 0.5 * np.log(asked.sigma.mean(1)) - 0.25 * np.log(found.sigma.mean(1))
    np.testing.assert_allclose(
        MATCH.probability("audio", "visual", asked, found, distance), 1 / (1 + np.exp(-logits)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("best", "videos", "verdict"),
    [(0.999, 10, "strong"), (0.5, 10, "fair"), (0.42, 10, "weak"), (0.25, 10, "nothing"), (0.0, 10, "nothing")],
)
def test_a_verdict_names_how_good_the_best_match_is(best: float, videos: int, verdict: str) -> None:
    """From strong to nothing, which also stands for no hit."""
    assert MATCH.verdict("audio", "visual", best, videos) == verdict


def test_a_larger_library_needs_a_better_match() -> None:
    """Among more videos that do not belong, the best comes nearer by chance."""
    found = [MATCH.verdict("audio", "visual", 0.55, videos) for videos in (1, 100, 10_000)]
    assert found == ["strong", "weak", "nothing"]


@pytest.mark.parametrize(("best", "verdict"), [(0.96, "strong"), (0.8, "fair"), (0.5, "weak"), (0.2, "nothing")])
def test_words_are_judged_by_their_best_match_alone(best: float, verdict: str) -> None:
    """Their match is of hits: a large library needs no better one."""
    assert {MATCH.verdict("text", "visual", best, videos) for videos in (1, 100_000)} == {verdict}


def test_a_direction_is_known_if_it_was_fitted() -> None:
    """Words are not, here."""
    assert MATCH.knows("audio", "visual")
    assert not MATCH.knows("text", "visual")


def test_each_match_is_judged_alone() -> None:
    """A list of matches has the chances of each; better matches have smaller ones."""
    matches = np.linspace(0, 1, 101)
    queries: tuple[Asked, ...] = ("audio", "text")
    for query in queries:
        chances = MATCH.chance(query, "visual", matches, 40)
        assert chances.tolist() == [MATCH.chance(query, "visual", matches[[i]], 40)[0] for i in range(101)]
        assert list(dict.fromkeys(map(verdict_of, chances))) == ["nothing", "weak", "fair", "strong"]
