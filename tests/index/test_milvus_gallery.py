"""A collection in Milvus has the latents of a gallery, which has none: it is filled once, and then follows changes."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_samples import PAPER, need_milvus, pairs
from latent_samples import clustered_latents

from index.brute_force import BruteForceGallery
from index.milvus import ANSWER_S, FILL_S, Collection, Milvus, MilvusServer
from index.milvus_gallery import MilvusGallery
from model.data.latents import Latents
from model.errors import LibraryChanged, LibraryError

N = 400
IDS = np.random.default_rng(5).permutation(N) * 2
ITEMS = clustered_latents(N, seed=1)


@pytest.fixture
def server(tmp_path: Path) -> MilvusServer:
    need_milvus()
    return MilvusServer(str(tmp_path / "milvus.db"), "audio_7")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the ids whose rows are written."""
    ids: list[int] = []
    put = Collection.put
    monkeypatch.setattr(
        Collection, "put", lambda own, these, *given, **named: (ids.extend(these), put(own, these, *given, **named))
    )
    return ids


def gallery_of(server: MilvusServer, items: Latents = ITEMS, ids: np.ndarray = IDS, **named: Any) -> MilvusGallery:
    return MilvusGallery(ids, items, PAPER, server=server, scan=0, **named)


def answers(
    server: MilvusServer, items: Latents = ITEMS, ids: np.ndarray = IDS, **named: Any
) -> list[list[tuple[float, int]]]:
    gallery = gallery_of(server, items, ids, **named)
    try:
        return found_in(gallery)
    finally:
        gallery.close()


def found_in(gallery: MilvusGallery) -> list[list[tuple[float, int]]]:
    found = gallery.search_batch(clustered_latents(5, seed=2), 7)
    assert {one.path for one in found} == {"milvus"}
    return [pairs(one) for one in found]


def connected(server: MilvusServer) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient(server.uri)


def collections(server: MilvusServer) -> list[str]:
    client = connected(server)
    try:
        return list(client.list_collections())
    finally:
        client.close()


def refuse(*_: object, **__: object) -> None:
    pytest.fail("the collection was written to")


def test_scores_are_those_of_latents_in_memory_to_the_last_bit(server: MilvusServer) -> None:
    """Whatever was proposed has the distance, both parts of it and the latents that it has in memory."""
    special = Latents(*(array.copy() for array in vars(ITEMS).values()))
    special.mu[0, :3] = [1e-45, -0.0, 3.4e38]
    gallery, query = gallery_of(server, special), clustered_latents(1, seed=2)
    try:
        found = gallery.search(query, 20)
        everything = gallery.search(query, N)
    finally:
        gallery.close()
    true = BruteForceGallery(IDS, special, PAPER).search(query, N)
    assert not found.certified
    assert found.examined < N
    at = {int(i): row for row, i in enumerate(true.ids)}
    rows = [at[int(i)] for i in found.ids]
    for name in ("distance", "latent", "generated"):
        assert getattr(found, name).tobytes() == getattr(true, name)[rows].tobytes()
        assert getattr(everything, name).tobytes() == getattr(true, name).tobytes()
    held = np.argsort(IDS)[np.searchsorted(np.sort(IDS), everything.ids)]
    assert everything.latents is not None
    assert everything.latents.mu.tobytes() == special.mu[held].tobytes()


def test_a_filled_gallery_holds_no_latents(server: MilvusServer) -> None:
    """All arrays that it holds, of whatever length, take less than 40 bytes an item, where the latents take 160."""
    n = 6000
    items = clustered_latents(n, seed=1)
    gallery = gallery_of(server, items, np.arange(n))
    try:
        gallery.search(clustered_latents(1, seed=2), 7)
        assert 8 * n <= _held_bytes(gallery) < 40 * n
        assert _held_bytes(BruteForceGallery(np.arange(n), items, PAPER)) > 160 * n
    finally:
        gallery.close()


def _held_bytes(gallery: object) -> int:
    """Return what all arrays take that an object of ours holds, wherever in it."""
    arrays: dict[int, np.ndarray] = {}
    _collect(gallery, arrays, set())
    return sum(array.nbytes for array in arrays.values())


def _collect(thing: object, arrays: dict[int, np.ndarray], seen: set[int]) -> None:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        base = thing if thing.base is None or not isinstance(thing.base, np.ndarray) else thing.base
        arrays[id(base)] = base
    elif isinstance(thing, dict | list | tuple):
        for one in thing.values() if isinstance(thing, dict) else thing:
            _collect(one, arrays, seen)
    elif type(thing).__module__.startswith(("index", "model")):
        _collect(vars(thing), arrays, seen)


def test_a_collection_of_the_same_items_is_reused(server: MilvusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second gallery writes nothing and answers as the first did."""
    first = answers(server)
    monkeypatch.setattr(Collection, "put", refuse)
    assert answers(server) == first


def test_a_collection_of_other_items_is_filled_anew(server: MilvusServer, tmp_path: Path) -> None:
    """As many items with other latents, or other ids: answers as from a fresh collection, and the old one is gone."""
    answers(server)
    fresh = MilvusServer(str(tmp_path / "fresh.db"), "audio_7")
    other = clustered_latents(N, seed=8)
    assert answers(server, other) == answers(fresh, other)
    assert {i for row in answers(server, other, IDS + 1) for _, i in row} <= set(IDS + 1)
    answers(server, other, IDS + 1)
    assert len(collections(server)) == 1


@pytest.mark.parametrize("restarted", [True, False])
def test_only_what_has_changed_is_written(
    server: MilvusServer, tmp_path: Path, written: list[int], restarted: bool
) -> None:
    """Ten items more, ten fewer and one with other latents, after a restart or not: eleven rows, the right answers."""
    kept = {"file": tmp_path / "projection.npz", "key": "model"}
    first = gallery_of(server, **kept)
    ids = np.concatenate([IDS[10:], np.arange(1, 21, 2)])
    more = clustered_latents(10, seed=9)
    items = Latents.concatenate([ITEMS[10:], more])
    items.mu[0] += 1
    written.clear()
    if restarted:
        first.close()
    now = gallery_of(server, items, ids, before=None if restarted else first, **kept)
    try:
        assert sorted(written) == sorted([int(ids[0]), *range(1, 21, 2)])
        for row in (0, 5, N - 1):
            true = BruteForceGallery(ids, items, PAPER).search(items[[row]], 3)
            assert pairs(now.search(items[[row]], 3)) == pairs(true)
        gone = now.search(ITEMS[[3]], N)
        assert len(gone.ids) == N
        assert not set(IDS[:10].tolist()) & set(gone.ids.tolist())
    finally:
        now.close()


def test_an_earlier_gallery_goes_on_with_its_own_items(server: MilvusServer) -> None:
    """What came to the collection since is none of its hits; what has gone is left out, and nothing certified."""
    few = np.arange(N) < 5
    before = gallery_of(server)
    now = gallery_of(server, ITEMS[5:], IDS[5:] + 1, before=before)
    try:
        assert set(before.search(clustered_latents(1, seed=2), 7).ids.tolist()) == set()
        found = before.search(clustered_latents(1, seed=2), 7, few)
        assert (len(found.ids), found.certified) == (0, False)
        assert len(now.search(clustered_latents(1, seed=2), 7).ids) == 7
    finally:
        now.close()


def test_what_was_rewritten_is_gone_from_an_earlier_gallery(server: MilvusServer) -> None:
    """Another library that writes to the same rows, or a later gallery: nothing is scored by latents not its own.

    Not where the search brings the latents, not where they are fetched, not where all that is allowed is scored.
    """
    changed = Latents(*(array.copy() for array in vars(ITEMS).values()))
    changed.mu[: N // 2] += 1e-3
    before = gallery_of(server)
    now = gallery_of(server, changed, before=before)
    every, few, query = np.ones(N, bool), np.arange(N) < 5, clustered_latents(1, seed=2)
    try:
        for allowed in (None, every, few):
            found = before.search(query, 50, allowed)
            assert not set(IDS[: N // 2].tolist()) & set(found.ids.tolist())
            assert not found.certified
            true = dict(pairs(BruteForceGallery(IDS, ITEMS, PAPER).search(query, N)))
            assert set(pairs(found)) <= set(true.items())
        assert now.search(query, N).certified
    finally:
        now.close()


def test_a_change_that_was_cut_off_is_made_good(
    server: MilvusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gallery that follows finds out what the collection holds, even where it has as many items as it should."""
    changed = Latents(*(array.copy() for array in vars(ITEMS).values()))
    changed.mu[:5] += 1
    kept = {"file": tmp_path / "projection.npz", "key": "model"}
    before = gallery_of(server, **kept)
    with monkeypatch.context() as failing:
        failing.setattr(MilvusGallery, "_keep", lambda own, file: None)
        failing.setattr(Collection, "count", lambda own: refused())
        with pytest.raises(LibraryError, match="outage"):
            gallery_of(server, changed, before=before, **kept)
    now = gallery_of(server, before=before, **kept)
    try:
        assert pairs(now.search(ITEMS[[2]], N)) == pairs(BruteForceGallery(IDS, ITEMS, PAPER).search(ITEMS[[2]], N))
    finally:
        now.close()


def refused() -> int:
    raise LibraryError("an outage")


def test_each_write_can_be_repeated(server: MilvusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first fill asks for no insertion, which would leave rows twice where the client repeats it."""
    asked: list[str] = []
    ask = Milvus.ask
    monkeypatch.setattr(
        Milvus, "ask", lambda own, method, *given, **named: (asked.append(method), ask(own, method, *given, **named))[1]
    )
    answers(server)
    assert "upsert" in asked
    assert "insert" not in asked


def test_a_call_that_takes_too_long_is_said(server: MilvusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls have a time limit; what pymilvus lets through from gRPC as it is becomes an error that can be passed on."""
    from grpc import RpcError

    limits = []

    def hang(*_: object, timeout: float, **__: object) -> None:
        limits.append(timeout)
        raise RpcError("deadline exceeded")

    gallery = gallery_of(server)
    try:
        for method in ("search", "get", "query"):
            monkeypatch.setattr(gallery._milvus._client, method, hang)
        for ask in (
            lambda: gallery.search(ITEMS[[0]], 7),
            lambda: gallery.search(ITEMS[[0]], N),
            lambda: count(gallery),
        ):
            with pytest.raises(LibraryError, match="cannot be used") as raised:
                ask()
            assert "cannot be used" in str(pickle.loads(pickle.dumps(raised.value)))
        assert limits == [ANSWER_S, ANSWER_S, FILL_S]
    finally:
        gallery.close()


def count(gallery: MilvusGallery) -> int:
    return gallery._collection.count()


def test_a_name_that_begins_alike_is_left_alone(server: MilvusServer) -> None:
    """Filling one collection drops none of another name, not even of one that the name begins."""
    answers(MilvusServer(server.uri, "audio_7_v1"))
    answers(server)
    assert len(collections(server)) == 2


def test_rows_that_are_missing_are_written_again(server: MilvusServer, written: list[int]) -> None:
    """Rows that were deleted behind its back are noticed, and only they are written."""
    first = answers(server)
    client = connected(server)
    [collection] = client.list_collections()
    lost = [i for _, i in first[0]]
    client.delete(collection, ids=lost)
    client.close()
    written.clear()
    assert answers(server) == first
    assert sorted(written) == sorted(lost)


def test_a_filling_that_was_cut_off_goes_on_where_it_was(
    server: MilvusServer, tmp_path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before a crash is kept, even where the library has grown since."""
    monkeypatch.setattr(Collection, "rows_at_once", 100)
    put = Collection.put

    def fail(own: Collection, ids: np.ndarray, *given: Any, **named: Any) -> None:
        if len(written) == 200:
            raise KeyboardInterrupt
        put(own, ids, *given, **named)

    kept = {"file": tmp_path / "projection.npz", "key": "model"}
    with monkeypatch.context() as crashing:
        crashing.setattr(Collection, "put", fail)
        with pytest.raises(KeyboardInterrupt):
            gallery_of(server, **kept)
    assert len(written) == 200
    ids, items = np.append(IDS, 10_001), Latents.concatenate([ITEMS, clustered_latents(1, seed=9)])
    now = gallery_of(server, items, ids, **kept)
    try:
        assert len(written) == N + 1
        assert len(set(written)) == N + 1
        assert now.search(items[[N]], 1).ids.tolist() == [10_001]
    finally:
        now.close()


def test_a_broken_file_fills_the_collection_anew(
    server: MilvusServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The answers are right, a warning says so, and one collection is left."""
    file = tmp_path / "projection.npz"
    first = answers(server, file=file)
    file.write_bytes(file.read_bytes()[:-100])
    assert answers(server, file=file) == first
    assert "filled anew" in caplog.text
    assert answers(server, file=file) == first
    assert len(collections(server)) == 1


def test_a_new_model_has_a_collection_of_its_own(server: MilvusServer, tmp_path: Path) -> None:
    """With another key nothing of the old collection is used; it serves until the new one does, and is dropped then."""
    file, query = tmp_path / "projection.npz", clustered_latents(1, seed=2)
    answers(server, file=file, key="old")
    [old] = collections(server)
    serving = gallery_of(server, file=file, key="old")
    first = pairs(serving.search(query, 7))
    now = gallery_of(server, file=file, key="new")
    assert pairs(serving.search(query, 7)) == first
    gallery_of(server, file=file, key="new", before=now)
    serving.close()
    now.close()
    [new] = collections(server)
    assert old != new


def test_a_collection_that_another_process_changes_is_refused(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it never holds what was written, the gallery says so rather than search in it."""
    monkeypatch.setattr(Collection, "count", lambda own: N + 1)
    with pytest.raises(LibraryChanged, match="one process at a time"):
        gallery_of(server)


def test_rows_that_are_too_wide_are_refused(server: MilvusServer) -> None:
    """What no row of Milvus takes is said before anything is made."""
    wide = clustered_latents(3, pair=20_000)
    with pytest.raises(LibraryError, match=r"at most 12,286 expected.*ECHOLENS_INDEX"):
        gallery_of(server, wide, np.arange(3))
    assert collections(server) == []


def test_numbers_that_are_not_finite_are_refused(server: MilvusServer) -> None:
    """As every gallery does, before they are written."""
    broken = Latents(*(array.copy() for array in vars(ITEMS).values()))
    broken.sigma[N // 2, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        gallery_of(server, broken)


def test_no_milvus_at_the_address_is_said() -> None:
    """An address where nothing listens gives LibraryError with it, without a password or Milvus's own words."""
    need_milvus()
    with pytest.raises(LibraryError, match="localhost:1 ") as raised:
        MilvusGallery(IDS, clustered_latents(N), PAPER, server=MilvusServer("http://user:secret@localhost:1"))
    for word in ("secret", "Milvus" + "Exception", "message="):
        assert word not in str(raised.value)
    assert raised.value.__cause__ is not None, "the log tells what Milvus said"


def test_without_pymilvus_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client is not installed, the error says what to install."""
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(LibraryError, match="extra `milvus`"):
        MilvusGallery(IDS, clustered_latents(N), PAPER)
