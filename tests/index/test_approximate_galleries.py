"""What galleries without a proof say of themselves, and which one is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from gallery_samples import ELSEWHERE, IN_MEMORY, PAPER, Maker, maker
from gpu_stand_in import gpu_stand_in
from latent_samples import clustered_latents

import index.approximate_gallery as approximate_gallery
import index.gallery_choice as choice
import index.gpu_gallery as gpu_gallery
from index.approximate_gallery import ApproximateGallery, recall_rows
from index.brute_force import BruteForceGallery
from index.certified_gallery import CertifiedGallery
from index.hnsw_gallery import HnswGallery
from index.ivf_gallery import IvfGallery
from index.milvus_gallery import MilvusGallery
from model.data.distance import ScoreWeights, distances
from model.errors import LibraryError

PROPOSING = [kind for kind in IN_MEMORY if kind not in ("brute force", "certified")]
N = 3000
IDS = np.random.default_rng(5).permutation(N) * 2
ITEMS = clustered_latents(N, seed=1)


@pytest.fixture(scope="module", params=[*PROPOSING, *ELSEWHERE])
def gallery(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApproximateGallery | MilvusGallery]:
    """Build each approximate gallery over clustered items."""
    with maker(request.param, tmp_path_factory.mktemp("galleries")) as make:
        built = make(IDS, ITEMS, PAPER)
        assert isinstance(built, ApproximateGallery | MilvusGallery)
        yield built


def test_what_an_index_proposed_is_not_certified(gallery: ApproximateGallery | MilvusGallery) -> None:
    """An answer that examined a part of the items is never certified, bounds nothing and names path and recall."""
    for result in gallery.search_batch(clustered_latents(20, seed=2), 5):
        assert not result.certified
        assert result.examined < N
        assert result.bound_gap is None
        assert result.path == gallery.path
        assert result.recall == gallery.recall


def test_few_allowed_items_are_all_scored(gallery: ApproximateGallery | MilvusGallery) -> None:
    """Among few allowed items, or one in thirty, everything is examined: the answer is the oracle's, and certified."""
    oracle = BruteForceGallery(IDS, ITEMS, PAPER)
    for allowed in (np.arange(N) < 200, np.arange(N) % 30 == 0):
        for seed in range(5):
            query = clustered_latents(1, seed=seed)
            result, true = gallery.search(query, 7, allowed), oracle.search(query, 7, allowed)
            assert result.certified
            assert result.examined == np.count_nonzero(allowed)
            assert np.array_equal(result.ids, true.ids)


def test_a_mask_of_what_lies_far_leaves_full_answers(gallery: ApproximateGallery | MilvusGallery) -> None:
    """Where an index meets only what is not allowed first, the answer still has k allowed hits, nearly the nearest."""
    query = clustered_latents(1, seed=3)
    far = distances(query, ITEMS, PAPER).total[0]
    allowed = far > np.quantile(far, 0.7)
    result = gallery.search(query, 10, allowed)
    true = BruteForceGallery(IDS, ITEMS, PAPER).search(query, 10, allowed)
    assert len(result.ids) == 10
    assert set(result.ids) <= set(IDS[allowed])
    assert len(set(result.ids) & set(true.ids)) >= 8


def test_recall_is_high_on_clustered_items(gallery: ApproximateGallery | MilvusGallery) -> None:
    """More than nine of the ten nearest are found, for items of its own and for others; masked too."""
    oracle = BruteForceGallery(IDS, ITEMS, PAPER)
    queries, allowed = clustered_latents(40, seed=2), np.random.default_rng(0).random(N) < 0.3
    assert gallery.recall is not None
    assert gallery.recall > 0.9
    for mask in (None, allowed):
        pairs = zip(gallery.search_batch(queries, 10, mask), oracle.search_batch(queries, 10, mask), strict=True)
        assert np.mean([len(set(a.ids) & set(b.ids)) / 10 for a, b in pairs]) > 0.9


@pytest.mark.parametrize(("k", "share"), [(500, 1.0), (10, 0.1)])
def test_neither_many_hits_nor_a_filter_score_everything(
    gallery: ApproximateGallery | MilvusGallery, k: int, share: float
) -> None:
    """500 hits, or ten of one item in ten, come from at most 2,048 candidates, and are those of the oracle."""
    allowed = np.random.default_rng(0).random(N) < share
    oracle, queries = BruteForceGallery(IDS, ITEMS, PAPER), clustered_latents(10, seed=2)
    pairs = zip(gallery.search_batch(queries, k, allowed), oracle.search_batch(queries, k, allowed), strict=True)
    for found, true in pairs:
        assert 2 * k <= found.examined <= 2048
        assert found.examined < np.count_nonzero(allowed)
        assert not found.certified
        assert len(set(found.ids) & set(true.ids)) > 0.98 * k


@pytest.mark.parametrize("name", PROPOSING)
def test_the_recall_said_is_that_measured_from_outside(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With so few candidates that a part is missed, the figure is the one that matrices of distances give."""
    monkeypatch.setattr(approximate_gallery, "CANDIDATES", 12)
    monkeypatch.setattr(approximate_gallery, "CANDIDATES_PER_HIT", 1)
    items = clustered_latents(2000, seed=1)
    gallery = IN_MEMORY[name](IDS[:2000], items, PAPER)
    shares = []
    for row in recall_rows(2000):
        scores = distances(items[[int(row)]], items, PAPER).total[0]
        nearest = [i for i in np.argsort(scores, kind="stable") if i != row][:10]
        found = gallery.search(items[[int(row)]], 11).ids
        shares.append(len(set(IDS[nearest]) & set(found) - {IDS[row]}) / 10)
    said = gallery.search(items[[0]], 1).recall
    assert said == pytest.approx(np.mean(shares), abs=1e-12)
    assert 0.1 < np.mean(shares) < 1


def test_recall_takes_fewer_queries_of_large_galleries() -> None:
    """100 items are asked for, no more than there are, and ten of a million: always the same ones, each once."""
    assert [len(recall_rows(n)) for n in (7, 5000, 20_000, 50_000, 1_000_000)] == [7, 100, 100, 40, 10]
    assert np.array_equal(recall_rows(5000), np.unique(recall_rows(5000)))


@pytest.mark.parametrize("make", [HnswGallery, IvfGallery])
def test_what_is_quicker_to_scan_is_scanned(make: Maker) -> None:
    """Small galleries, and half of one somewhat larger, are scored throughout; all of that one is not."""
    query = clustered_latents(1, seed=2)
    small = make(IDS, clustered_latents(N, seed=1), PAPER).search(query, 10)
    assert (small.certified, small.examined) == (True, N)
    larger = make(np.arange(5000), clustered_latents(5000, seed=1), PAPER)
    half = larger.search(query, 10, np.arange(5000) % 2 == 0)
    assert (half.certified, half.examined) == (True, 2500)
    assert not larger.search(query, 10).certified


def _paths(monkeypatch: pytest.MonkeyPatch, largest: int, gpu_bytes: int | None = None) -> dict[str, str]:
    items, query = clustered_latents(5000, seed=1), clustered_latents(1, seed=2)
    monkeypatch.setattr(choice, "CERTIFIED_UP_TO", largest)
    wanted: list[choice.GalleryChoice] = ["auto", "certified", "hnsw", "ivf"]
    return {
        name: choice.gallery_for(np.arange(5000), items, PAPER, name, gpu_bytes=gpu_bytes).search(query, 5).path
        for name in wanted
    }


def test_the_gallery_is_chosen_by_name_or_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a size "auto" proves its answers, beyond it takes the graph; a name is taken at any size."""
    named = {"certified": "cascade", "hnsw": "hnsw", "ivf": "ivf"}
    assert _paths(monkeypatch, 5000) == {"auto": "cascade", **named}
    assert _paths(monkeypatch, 4999) == {"auto": "hnsw", **named}


def test_a_gpu_is_used_by_a_session_that_computes_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the size of proofs "auto" keeps p on it, and "ivf" its lists; without its memory FAISS keeps off it."""
    with gpu_stand_in():
        named = {"certified": "cascade", "hnsw": "hnsw"}
        assert _paths(monkeypatch, 4999, 8 << 30) == {"auto": "flat-gpu", "ivf": "ivf-gpu", **named}
        assert _paths(monkeypatch, 4999, None) == {"auto": "hnsw", "ivf": "ivf", **named}


def test_without_a_gpu_of_faiss_the_index_stays_in_main_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says why; the gallery of the GPU itself is refused."""
    monkeypatch.setattr(choice, "gpus", lambda: 0)
    monkeypatch.setattr(gpu_gallery, "gpus", lambda: 0)
    assert _paths(monkeypatch, 4999, 8 << 30)["ivf"] == "ivf"
    assert "FAISS has no GPU" in caplog.text
    with pytest.raises(LibraryError, match="no GPU"):
        gpu_gallery.GpuGallery(np.arange(10), clustered_latents(10), PAPER)


def test_a_choice_hands_on_the_budget() -> None:
    """A certified gallery keeps the budget that it is given."""
    gallery = choice.gallery_for(np.arange(10), clustered_latents(10), ScoreWeights(), budget=3)
    assert isinstance(gallery, CertifiedGallery)
    assert gallery.budget == 3
