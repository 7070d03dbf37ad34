"""A gallery on the GPU: what follows from a change of the library, and what happens where memory is short."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gallery_samples import PAPER, need_gpu, pairs
from gpu_stand_in import Card, gpu_stand_in
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_samples import clustered_latents

import index.pieces
from index.approximate_gallery import CANDIDATES
from index.brute_force import BruteForceGallery
from index.gallery_choice import gallery_for
from index.gpu_gallery import SPARE_BYTES, GpuGallery
from index.gpu_index import TEMPORARY_BYTES, GpuIndex
from index.hnsw_gallery import HnswGallery
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import DeviceError, DeviceMemoryShort

POOL = clustered_latents(4000, seed=1)  # the latent of an item is that of its id
QUERIES = clustered_latents(6, seed=2)
both_kinds = pytest.mark.parametrize("divided", [False, True])


@pytest.fixture(autouse=True)
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card | None]:
    """Have a GPU, that of the machine in tests marked `gpu`; measure no recall, which would take most of the time."""
    monkeypatch.setattr(GpuGallery, "measure", lambda self: None)
    if request.node.get_closest_marker("gpu"):
        need_gpu()
        yield None
    else:
        with gpu_stand_in() as card:
            yield card


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """List how many vectors each new index copies to the GPU."""
    rows: list[int] = []
    make = GpuIndex.__init__

    def spy(self: GpuIndex, vectors: np.ndarray, *, divided: bool) -> None:
        rows.append(len(vectors))
        make(self, vectors, divided=divided)

    monkeypatch.setattr(GpuIndex, "__init__", spy)
    return rows


def gallery_of(ids: np.ndarray, before: GpuGallery | None = None, divided: bool = False) -> GpuGallery:
    return GpuGallery(ids, POOL[ids], PAPER, divided=divided, before=before, scan=0)


def check(gallery: GpuGallery, allowed: np.ndarray | None = None, recall: float = 1.0) -> None:
    """Hold answers against the oracle's: hits and distances, of a part of the items."""
    oracle = BruteForceGallery(gallery.ids, gallery.latents, PAPER)
    for found, true in zip(
        gallery.search_batch(QUERIES, 10, allowed), oracle.search_batch(QUERIES, 10, allowed), strict=True
    ):
        assert len(set(pairs(found)) & set(pairs(true))) >= recall * len(true.ids)
        assert found.examined < len(gallery) or len(gallery) <= CANDIDATES


def check_changes(divided: bool, seed: int) -> None:
    """Let items come and go at random, in several steps, ids in any order, and hold every gallery on the way to it."""
    random = np.random.default_rng(seed)
    recall = 0.8 if divided else 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index.pieces, "PIECE_ROWS", int(random.integers(150, 1200)))
        ids = random.permutation(4000)[: random.integers(500, 1500)]
        galleries = [gallery_of(ids, None, divided)]
        for _ in range(4):
            left = ids[random.random(len(ids)) > random.choice([0, 0.02, 0.4])]
            others = np.setdiff1d(np.arange(4000), ids)
            ids = random.permutation(np.concatenate([left, random.permutation(others)[: random.integers(0, 300)]]))
            galleries.append(gallery_of(ids, galleries[-1], divided))
        for gallery in galleries:
            rows = [row for piece in gallery._pieces for row in piece.rows[piece.left]]
            assert sorted(rows) == list(range(len(gallery)))
            check(gallery, None, recall)
            check(gallery, random.random(len(gallery)) < 0.7, recall)


@both_kinds
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_answers_are_right_after_any_changes(divided: bool, seed: int) -> None:
    """Every gallery on the way answers as the oracle, with and without a filter; those before keep their own items."""
    check_changes(divided, seed)


@pytest.mark.gpu
@both_kinds
def test_answers_of_a_card_are_right_after_any_changes(divided: bool) -> None:
    """The same of FAISS's own classes."""
    for seed in range(8):
        check_changes(divided, seed)


def test_what_is_proposed_leaves_out_nothing_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a filter that FAISS's limit cuts short in some pieces, proposals are the first by p of what is allowed."""
    monkeypatch.setattr(index.pieces, "PIECE_ROWS", 300)
    monkeypatch.setattr(index.pieces, "MOST", 100)
    near_first = np.argsort(((POOL.mu[:2000] - QUERIES.mu[0]) ** 2).sum(axis=1))
    gallery = gallery_of(near_first)  # each piece reaches as far as another
    packed = gallery._rounding.pack(gallery._prefilter.project(QUERIES))
    far = ((packed[:, np.newaxis] - gallery.packed()) ** 2).sum(axis=2)
    for share in (0.1, 0.5):
        allowed = np.random.default_rng(0).random(2000) < share
        for distances, rows in zip(far, gallery._propose(packed, 256, allowed), strict=True):
            first = np.argsort(np.where(allowed, distances, np.inf))[: len(rows)]
            assert set(rows.tolist()) == set(first.tolist())
            assert len(rows) > 0


def test_what_is_added_is_all_that_is_copied(copied: list[int]) -> None:
    """100 items of 2,000, and nothing for items that are deleted; the gallery before answers as it did."""
    first = gallery_of(np.arange(2000))
    before = [pairs(one) for one in first.search_batch(QUERIES, 10)]
    grown = gallery_of(np.arange(2100), first)
    shrunk = gallery_of(np.delete(np.arange(2100), np.arange(50, 250)), grown)
    assert copied == [2000, 100]
    for gallery in (grown, shrunk):
        check(gallery)
    assert [pairs(one) for one in first.search_batch(QUERIES, 10)] == before


def test_an_item_with_other_latents_is_copied_again(copied: list[int]) -> None:
    """An id alone is no item: of what was read again the new latents are found."""
    first = gallery_of(np.arange(1000))
    mu = POOL.mu[:1000].copy()
    mu[:100] = POOL.mu[3000:3100]
    latents = Latents(mu, POOL.sigma[:1000], np.concatenate([POOL.generated[3000:3100], POOL.generated[100:1000]]))
    check(GpuGallery(np.arange(1000), latents, PAPER, before=first, scan=0))
    assert copied == [1000, 100]


def test_pieces_that_lost_much_are_made_anew(copied: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a piece may be gone, not more; the others stay."""
    monkeypatch.setattr(index.pieces, "PIECE_ROWS", 500)
    first = gallery_of(np.arange(2000))
    fewer = gallery_of(np.arange(100, 2000), first)
    assert copied == [500] * 4
    check(gallery_of(np.arange(150, 2000), fewer))
    assert copied == [500] * 4 + [350]


def test_a_library_that_grows_by_little_is_copied_a_few_times_into_few_pieces(copied: list[int]) -> None:
    """1,000 items, added two by two, are copied at most log2(1,000) = 10 times and lie in as many pieces at most."""
    gallery = gallery_of(np.arange(2000))
    del copied[:]
    for n in range(2002, 3002, 2):
        gallery = gallery_of(np.arange(n), gallery)
        assert len(gallery._pieces) <= 11
    assert sum(copied) <= 10 * 1000
    check(gallery)


def test_p_is_made_anew_where_it_no_longer_suits(copied: list[int]) -> None:
    """For other weights, another kind of index, items a thousand times as far, or when most items are others."""
    first = gallery_of(np.arange(1000))
    far = Latents(*(np.concatenate([a[:1000], a[1000:1010] * np.float32(5000)]) for a in vars(POOL).values()))
    GpuGallery(np.arange(1000), POOL[:1000], ScoreWeights(0.5, 1.0), before=first)
    gallery_of(np.arange(1000), first, divided=True)
    gallery_of(np.arange(600, 2000), first)
    GpuGallery(np.arange(1010), far, PAPER, before=first)
    assert copied == [1000, 1000, 1000, 1400, 1010]


def test_the_recall_is_measured_again_when_a_tenth_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then that of the gallery before is told: measuring takes time that grows with the library."""
    measured: list[int] = []
    monkeypatch.setattr(GpuGallery, "measure", lambda self: measured.append(len(self)))
    gallery = gallery_of(np.arange(1000))
    gallery.recall = 0.75
    for n in (1050, 1090, 1200, 1250):
        gallery = gallery_of(np.arange(n), gallery)
        assert gallery.recall == (None if n >= 1200 else 0.75)
    assert measured == [1000, 1200]


def test_a_gallery_that_is_gone_gives_its_memory_back(card: Card) -> None:
    """Pieces live as long as a gallery has them; the gallery before is not kept."""
    first = gallery_of(np.arange(1000))
    used, gone = card.used, weakref.ref(first)
    grown = gallery_of(np.arange(1100), first)
    del first
    gc.collect()
    assert gone() is None
    assert card.used > used
    check(grown)
    del grown
    gc.collect()
    assert card.used == TEMPORARY_BYTES


def test_old_and_new_galleries_are_searched_while_others_are_built() -> None:
    """They share pieces and the GPU: everyone gets what one alone gets."""
    first = gallery_of(np.arange(1000))

    def work(number: int) -> None:
        gallery = gallery_of(np.arange(1000 + 10 * number), first) if number % 2 else first
        check(gallery)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(18)))


@pytest.mark.parametrize("choice", ["auto", "ivf"])
@pytest.mark.parametrize("counted", [True, False])
def test_where_memory_is_short_the_index_stays_in_main_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, choice: str, counted: bool
) -> None:
    """Whether it is counted before or FAISS runs out of it: a warning, the CPU's index, and what served goes on."""
    monkeypatch.setattr(index.gallery_choice, "CERTIFIED_UP_TO", 100)
    with gpu_stand_in(TEMPORARY_BYTES + 600_000) as card:
        serving = gallery_of(np.arange(1000))
        used, free_bytes = card.used, TEMPORARY_BYTES + SPARE_BYTES + (600_000 if counted else 2**30)
        with caplog.at_level(logging.WARNING):
            other = gallery_for(np.arange(4000), POOL, PAPER, choice, before=serving, gpu_bytes=free_bytes)  # type: ignore[arg-type]
        assert other.search(QUERIES[[0]], 3).path in {"hnsw", "ivf", "exhaustive"}
        assert not isinstance(other, GpuGallery)
        assert isinstance(other, HnswGallery) == (choice == "auto")
        assert "stays in main memory" in caplog.text
        assert ("are free" if counted else "cudaMalloc") in caplog.text
        gc.collect()
        assert card.used == used
        check(serving)


def test_what_is_there_already_needs_no_memory() -> None:
    """A gallery that takes over all pieces fits however little is free; one that is made anew does not."""
    first = gallery_of(np.arange(1000))
    GpuGallery(np.arange(990), POOL[:990], PAPER, before=first, free_bytes=0)
    with pytest.raises(DeviceMemoryShort, match="990 items needs"):
        GpuGallery(np.arange(990), POOL[:990], PAPER, free_bytes=0)


def test_another_failure_of_the_gpu_is_for_the_caller(card: Card) -> None:
    """It is no reason to go on in main memory: the process has to end."""
    card.refusal = "Error in f at a.cu:1: Error: 'err == cudaSuccess' failed: CUDA error 719 unspecified launch failure"
    with pytest.raises(DeviceError, match="CUDA error 719"):
        gallery_for(np.arange(4000), POOL, PAPER, "ivf", gpu_bytes=8 << 30)


def test_hits_beyond_half_of_what_faiss_can_find_are_scored_out() -> None:
    """From k = 1,025 on everything is scored, and certified; 1,024 hits come from 2,048 candidates."""
    gallery = gallery_of(np.arange(4000))
    assert (gallery.search(QUERIES[[0]], 1024).examined, gallery.search(QUERIES[[0]], 1025).examined) == (2048, 4000)
    assert gallery.search(QUERIES[[0]], 1025).certified
