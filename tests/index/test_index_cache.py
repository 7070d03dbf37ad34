"""A file of an index is a cache: what cannot be trusted is built anew, with a warning, and never answers."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gallery_samples import PAPER, pairs
from latent_samples import clustered_latents

import index.index_cache as index_cache
from index.approximate_gallery import ApproximateGallery
from index.faiss_index import ivf
from index.hnsw_gallery import HnswGallery
from index.index_cache import IndexCache
from index.ivf_gallery import IvfGallery
from model.data.distance import ScoreWeights
from model.data.latents import Latents

VECTORS = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
IDS = np.arange(900)


@pytest.fixture
def cache(tmp_path: Path) -> IndexCache:
    """Save an index of VECTORS under the key "audio 7"."""
    cache = IndexCache(tmp_path / "cache" / "audio.faiss")
    cache.save("audio 7", ivf(VECTORS))
    return cache


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_head(path: Path) -> None:
    flip(path, 3)


def flip_digest(path: Path) -> None:
    flip(path, 20)


def flip_key(path: Path) -> None:
    flip(path, 60)


def flip_body(path: Path) -> None:
    flip(path, path.stat().st_size // 2)


def flip_last(path: Path) -> None:
    flip(path, path.stat().st_size - 1)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def delete(path: Path) -> None:
    path.unlink()


def no_index(path: Path) -> None:
    path.write_bytes(b"what is this?" * 1000)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILING = [cut, empty, flip_head, flip_digest, flip_key, flip_body, flip_last, append, delete, no_index, directory]
spoilt = pytest.mark.parametrize("spoil", SPOILING)


def test_what_was_saved_is_loaded(cache: IndexCache, caplog: pytest.LogCaptureFixture) -> None:
    """The loaded index finds what the saved one did; there is one file and no warning."""
    loaded = cache.load("audio 7")
    assert loaded is not None
    assert np.array_equal(loaded.search(VECTORS[:9], 3)[1], ivf(VECTORS).search(VECTORS[:9], 3)[1])
    assert [path.name for path in cache.path.parent.iterdir()] == ["audio.faiss"]
    assert not caplog.records


@spoilt
def test_a_spoilt_file_is_not_loaded(
    cache: IndexCache, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    """Cut, altered by one bit anywhere, deleted or something else: None, and a warning that names the file."""
    spoil(cache.path)
    assert cache.load("audio 7") is None
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(cache.path) in record.message


def test_faiss_never_sees_altered_bytes(cache: IndexCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum is compared before FAISS reads, for other bytes may crash it."""
    monkeypatch.setattr(index_cache, "read", lambda file: pytest.fail("FAISS was given the file"))
    flip_body(cache.path)
    assert cache.load("audio 7") is None


@pytest.mark.parametrize("key", ["audio 8", "", "audio 7 ", "audio"])
def test_an_index_of_something_else_is_stale(cache: IndexCache, caplog: pytest.LogCaptureFixture, key: str) -> None:
    """Another key gives None and a warning."""
    assert cache.load(key) is None
    assert "of another library" in caplog.text


def test_an_index_of_another_faiss_is_stale(cache: IndexCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version wrote is not read."""
    monkeypatch.setattr(index_cache, "VERSION", "0.0.1")
    assert cache.load("audio 7") is None


def test_a_disk_that_refuses_costs_a_warning(
    cache: IndexCache, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves the file that was there, no rest of the attempt, and the index is used all the same."""

    def full(index: object, file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(index_cache, "write", full)
    assert cache.kept("audio 8", lambda: ivf(VECTORS)).ntotal == 500
    assert "No space left" in caplog.text
    assert [path.name for path in cache.path.parent.iterdir()] == ["audio.faiss"]
    assert cache.load("audio 7") is not None


Build = Callable[[Latents, IndexCache | None], ApproximateGallery]
BUILDS: dict[str, Build] = {
    "hnsw": lambda items, cache: HnswGallery(IDS, items, PAPER, cache=cache, key="audio 7", scan=0),
    "ivf": lambda items, cache: IvfGallery(IDS, items, PAPER, cache=cache, key="audio 7", scan=0, compressed=False),
    "ivf-pq": lambda items, cache: IvfGallery(IDS, items, PAPER, cache=cache, key="audio 7", scan=0, compressed=True),
}
every_build = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


def answers(gallery: ApproximateGallery) -> list[list[tuple[float, int]]]:
    return [pairs(result) for result in gallery.search_batch(clustered_latents(20, seed=2), 7)]


@every_build
@spoilt
def test_a_gallery_is_built_anew_and_answers_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, build: Build, spoil: Callable[[Path], None]
) -> None:
    """After any damage the gallery answers as it did, warns, and leaves a whole file where one can be."""
    items, cache = clustered_latents(900, seed=1), IndexCache(tmp_path / "audio.faiss")
    before = answers(build(items, cache))
    spoil(cache.path)
    caplog.clear()
    assert answers(build(items, cache)) == before
    assert "built anew" in caplog.text
    caplog.clear()
    assert answers(build(items, cache)) == before
    assert bool(caplog.records) == cache.path.is_dir()


@every_build
def test_a_gallery_is_read_and_not_built_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Build
) -> None:
    """With a whole file of the same items nothing is written, and the answers are those of a gallery without one."""
    items, cache = clustered_latents(900, seed=1), IndexCache(tmp_path / "audio.faiss")
    first = build(items, cache)
    monkeypatch.setattr(IndexCache, "save", lambda *_: pytest.fail("it was built"))
    second = build(items, cache)
    assert answers(second) == answers(first) == answers(build(items, None))
    assert second.recall == first.recall


@every_build
def test_other_items_under_the_same_key_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, build: Build
) -> None:
    """A key that says too little does no harm: what the items hold is part of it."""
    cache = IndexCache(tmp_path / "audio.faiss")
    build(clustered_latents(900, seed=1), cache)
    other = clustered_latents(900, seed=8)
    caplog.clear()
    assert answers(build(other, cache)) == answers(build(other, None))
    assert "of another library" in caplog.text


def test_kinds_and_weights_are_part_of_the_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One kind does not read another's file, nor the same kind that of other weights."""
    items, cache = clustered_latents(900, seed=1), IndexCache(tmp_path / "audio.faiss")
    for build in BUILDS.values():
        caplog.clear()
        build(items, cache)
        assert "built anew" in caplog.text
    caplog.clear()
    IvfGallery(IDS, items, ScoreWeights(2.0, 1.0), cache=cache, key="audio 7", compressed=True)
    assert "of another library" in caplog.text
