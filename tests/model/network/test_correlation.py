"""Linear CCA against the canonical correlations of numerical linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
from corpus_samples import planted_corpus

from model.judging.scorers import Correlation
from model.network.correlation import correlate, correlate_clusters


def canonical_correlations(audio: np.ndarray, visual: np.ndarray) -> np.ndarray:
    """Return the cosines of the angles between the column spaces (Bjorck and Golub, 1973)."""
    left, right = (np.linalg.qr(side - side.mean(0))[0] for side in (audio, visual))
    return np.linalg.svd(left.T @ right, compute_uv=False)


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray]:
    corpus = planted_corpus(videos=60, noise=1.0)
    return corpus.audio.astype(np.float64), corpus.visual.astype(np.float64)


def test_without_ridge_it_is_classical_cca(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """Paired columns correlate by the canonical correlations, all other pairs of columns not at all."""
    audio, visual = correlate(*sides, dimensions=12, ridge=0.0)
    left, right = audio(sides[0]), visual(sides[1])
    found = np.corrcoef(left.T, right.T)[:12, 12:]
    np.testing.assert_allclose(found, np.diag(canonical_correlations(*sides)), atol=1e-6)


def test_each_dimension_is_weighted_by_its_correlation(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """A projected column has mean zero and, without ridge, its correlation as standard deviation."""
    audio, visual = correlate(*sides, dimensions=6, ridge=0.0)
    for columns in (audio(sides[0]), visual(sides[1])):
        np.testing.assert_allclose(columns.mean(0), 0, atol=1e-9)
        np.testing.assert_allclose(columns.std(0), canonical_correlations(*sides)[:6], rtol=1e-6)


def test_a_ridge_trades_correlation_for_variance(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """The first training correlation sinks below the classical one, which is the highest there is."""
    audio, visual = correlate(*sides, dimensions=1, ridge=1.0)
    found = np.corrcoef(audio(sides[0])[:, 0], visual(sides[1])[:, 0])[0, 1]
    classical = canonical_correlations(*sides)[0]
    assert 0.8 * classical < found < classical - 1e-6


def test_components_are_the_principal_ones(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """With 3 components each, the correlations are those of the first 3 principal components."""
    principal = []
    for side in sides:
        values, vectors = np.linalg.eigh(np.cov(side.T))
        principal.append((side - side.mean(0)) @ vectors[:, np.argsort(values)[-3:]])
    audio, visual = correlate(*sides, dimensions=10, components=3, ridge=0.0)
    found = audio(sides[0]).std(0)
    assert audio.matrix.shape == (12, 3)
    assert visual.matrix.shape == (16, 3)
    np.testing.assert_allclose(found, canonical_correlations(*principal), rtol=1e-6)


def test_constant_and_repeated_columns_are_fine(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """Columns that add nothing change nothing; a side that is all constant projects to zero."""
    wider = np.concatenate([sides[0], np.ones((len(sides[0]), 2)), sides[0][:, :1]], axis=1)
    plain, padded = (correlate(a, sides[1], 4, ridge=0.0)[0](a) for a in (sides[0], wider))
    np.testing.assert_allclose(np.abs(padded), np.abs(plain), atol=1e-6)
    silent = np.full((len(sides[0]), 3), 7.0)
    audio, _ = correlate(silent, sides[1], 4)
    np.testing.assert_allclose(audio(silent), 0, atol=1e-6)


def test_pictures_are_flattened(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """Features of any shape are taken as vectors."""
    flat, shaped = correlate(*sides, 3)[0], correlate(sides[0].reshape(-1, 3, 2, 2), sides[1], 3)[0]
    np.testing.assert_allclose(shaped(sides[0].reshape(-1, 3, 2, 2)), flat(sides[0]))


def test_the_scorer_finds_a_planted_correlation_in_new_videos() -> None:
    """Of twenty new videos, most sounds have their own picture as the nearest by cosine."""
    new = planted_corpus(videos=20, seconds=1, seed=1)
    rows = np.arange(20)
    found = Correlation.fit(planted_corpus(videos=60))(new).score("audio", rows, "visual", rows)
    assert np.mean(found.argmin(1) == rows) > 0.6


def test_clusters_are_cca_of_all_their_pairs(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """It is CCA of a table with a row for every two rows of one cluster, clusters of different sizes."""
    cluster = np.repeat(np.arange(6), [5, 20, 9, 14, 30, 22])
    rows = np.arange(len(cluster))
    one, other = np.nonzero(cluster[:, None] == cluster)
    tables = [sides[0][rows][one], sides[1][rows][other]]
    expected = correlate(*tables, dimensions=5, ridge=0.5)
    found = correlate_clusters(sides[0][rows], sides[1][rows], cluster + 3, dimensions=5, ridge=0.5)
    for each, whole, side in zip(found, expected, sides, strict=True):
        np.testing.assert_allclose(np.abs(each(side)), np.abs(whole(side)), atol=1e-9)


def test_clusters_leave_a_dimension_fewer_than_they_are(sides: tuple[np.ndarray, np.ndarray]) -> None:
    """Six means less their own mean span five dimensions, whatever is asked for."""
    cluster = np.arange(len(sides[0])) % 6
    audio, visual = correlate_clusters(*sides, cluster, dimensions=12)
    assert (audio.matrix.shape, visual.matrix.shape) == ((12, 5), (16, 5))
