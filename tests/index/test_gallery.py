"""One contract for every gallery, held against a formula of its own; test_exact_galleries.py asks more of some."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import isclose

import numpy as np
import pytest
from gallery_samples import (
    ELSEWHERE,
    IN_MEMORY,
    KINDS,
    KINDS_OF_GALLERY,
    PAPER,
    Maker,
    Question,
    maker,
    pairs,
    questions,
    real_latents,
    slow_scores,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_samples import clustered_latents

from index.brute_force import BruteForceGallery
from index.gallery import SearchResult
from model.data.latents import Latents
from model.errors import EmptyLibrary, QueryError

IDS = np.random.default_rng(5).permutation(800) * 2


@pytest.fixture(scope="module", params=KINDS_OF_GALLERY)
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with maker(request.param, tmp_path_factory.mktemp("galleries")) as made:
        yield made


@pytest.fixture(scope="module", params=ELSEWHERE)
def make_elsewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with maker(request.param, tmp_path_factory.mktemp("galleries")) as made:
        yield made


def check_answers(make: Maker, question: Question, kind: str, asked: str) -> None:
    n, seed, k, weights, allowed, ids = question
    items = real_latents(kind, n, seed)
    query = real_latents(asked if asked in KINDS else kind, n, seed if asked == "a member" else seed + 1)[[0]]
    result = make(ids, items, weights).search(query, k, allowed)
    scores = dict(zip(ids.tolist(), slow_scores(query, items, weights), strict=True))
    kept = set(ids.tolist() if allowed is None else ids[allowed].tolist())
    found = pairs(result)
    assert len(found) == min(k, len(kept))
    assert {i for _, i in found} <= kept
    assert len({i for _, i in found}) == len(found)
    assert found == sorted(found)
    assert all(isclose(distance, scores[i], rel_tol=1e-12) for distance, i in found)
    assert np.array_equal(result.latent + result.generated, result.distance)
    assert result.gallery_size == n
    check_certificate(result, BruteForceGallery(ids, items, weights).search(query, k, allowed))


def check_certificate(result: SearchResult, oracle: SearchResult) -> None:
    """Certified is what equals the oracle bit by bit; what is not names its recall and what it left out."""
    if result.certified:
        assert pairs(result) == pairs(oracle)
        return
    assert len(result.ids) <= result.examined < oracle.examined
    assert result.recall is not None
    assert 0 <= result.recall <= 1


QUESTION = {
    "question": questions(most=700),
    "kind": st.sampled_from(KINDS),
    "asked": st.sampled_from(["a member", "a neighbour", *KINDS]),
}


@pytest.mark.parametrize("name", IN_MEMORY)
@settings(max_examples=60, deadline=None)
@given(**QUESTION)
def test_answers_are_right_as_far_as_they_go(name: str, question: Question, kind: str, asked: str) -> None:
    """Distances are the formula's to 1e-12, sorted by (distance, id), of min(k, allowed) distinct allowed items.

    A certified answer equals the oracle bit by bit; another says what recall to expect.
    """
    check_answers(IN_MEMORY[name], question, kind, asked)


@settings(max_examples=6, deadline=None)
@given(**QUESTION)
def test_answers_from_elsewhere_are_right_as_far_as_they_go(
    make_elsewhere: Maker, question: Question, kind: str, asked: str
) -> None:
    """The same of galleries that take long to build, with few examples."""
    check_answers(make_elsewhere, question, kind, asked)


@pytest.mark.parametrize("share", [None, 0.5, 0.01])
def test_a_batch_is_answered_as_its_rows_are(make: Maker, share: float | None) -> None:
    """Hits and certificate are the same for a row alone and in a batch of forty, one of them far from everything."""
    gallery = make(IDS, clustered_latents(800, seed=1), PAPER)
    far = clustered_latents(1, seed=2)
    far = Latents(far.mu * np.float32(1e20), far.sigma, far.generated)
    queries = Latents.concatenate([clustered_latents(20, seed=2), far, clustered_latents(19, seed=3)])
    allowed = None if share is None else np.random.default_rng(0).random(800) < share
    batch = gallery.search_batch(queries, 7, allowed)
    assert len(batch) == 40
    alone = [gallery.search(queries[[row]], 7, allowed) for row in range(40)]
    assert [pairs(one) for one in batch] == [pairs(one) for one in alone]
    assert [one.certified for one in batch] == [one.certified for one in alone]


def test_threads_may_search_at_once(make: Maker) -> None:
    """Eight threads get what one gets, masks included."""
    items, queries = clustered_latents(800, seed=1), clustered_latents(64, seed=2)
    masks = np.random.default_rng(0).random((64, 800)) < 0.5
    gallery = make(IDS, items, PAPER)

    def ask(i: int) -> list[tuple[float, int]]:
        return pairs(gallery.search(queries[[i]], 7, masks[i]))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(64))) == [ask(i) for i in range(64)]


def _spoilt(query: Latents, number: float) -> Latents:
    mu = query.mu.copy()
    mu[0, 0] = number
    return Latents(mu, query.sigma, query.generated)


def test_a_question_that_cannot_be_answered_is_refused(make: Maker) -> None:
    """k < 1, two rows, foreign dimensions, numbers that are not finite: QueryError. A foreign mask: ValueError."""
    gallery, fine = make(np.arange(100), clustered_latents(100), PAPER), clustered_latents(1)
    refused: list[tuple[Latents, int]] = [
        (fine, 0),
        (fine, -1),
        (clustered_latents(2), 3),
        (clustered_latents(1, latent=7), 3),
        (clustered_latents(1, pair=23), 3),
        (_spoilt(fine, np.nan), 3),
        (_spoilt(fine, np.inf), 3),
    ]
    for query, k in refused:
        with pytest.raises(QueryError, match="given"):
            gallery.search(query, k)
    with pytest.raises(ValueError, match="mask"):
        gallery.search(fine, 3, np.ones(99, bool))


def test_nothing_is_no_gallery(make: Maker) -> None:
    """Building from no items raises EmptyLibrary."""
    with pytest.raises(EmptyLibrary, match="add footage"):
        make(np.arange(0), clustered_latents(1)[:0], PAPER)


def test_the_time_of_exact_scores_is_a_part_of_the_search(make: Maker) -> None:
    """Every way of answering tells it, and a batch's sum stays within what the batch took."""
    gallery = make(IDS, clustered_latents(800, seed=1), PAPER)
    few = np.arange(800) < 20
    for allowed in (None, few):
        began = time.perf_counter()
        found = gallery.search_batch(clustered_latents(9, seed=2), 3, allowed)
        took_s = time.perf_counter() - began
        assert all(one.rerank_s > 0 for one in found)
        assert sum(one.rerank_s for one in found) < took_s
