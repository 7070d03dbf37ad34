"""A collection in Milvus is derived: reused while it holds the gallery's items, filled anew when it does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_samples import PAPER, need_milvus, pairs
from latent_samples import clustered_latents

from index.milvus_gallery import MilvusGallery, MilvusServer
from model.data.latents import Latents
from model.errors import LibraryError

N = 400
IDS = np.random.default_rng(5).permutation(N) * 2


@pytest.fixture
def server(tmp_path: Path) -> MilvusServer:
    need_milvus()
    return MilvusServer(str(tmp_path / "milvus.db"), "audio_7")


def answers(server: MilvusServer, items: Latents, ids: np.ndarray = IDS) -> list[list[tuple[float, int]]]:
    gallery = MilvusGallery(ids, items, PAPER, server=server, scan=0)
    try:
        found = gallery.search_batch(clustered_latents(5, seed=2), 7)
        assert {one.path for one in found} == {"milvus"}
        return [pairs(one) for one in found]
    finally:
        gallery.close()


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
    pytest.fail("the collection was filled")


def test_a_collection_of_the_same_items_is_reused(server: MilvusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second gallery writes nothing and answers as the first did."""
    items = clustered_latents(N, seed=1)
    first = answers(server, items)
    monkeypatch.setattr(MilvusGallery, "_create", refuse)
    assert answers(server, items) == first


def test_a_collection_of_other_items_is_filled_anew(server: MilvusServer, tmp_path: Path) -> None:
    """As many items with other latents, or other ids: answers as from a fresh collection, and the old one is gone."""
    answers(server, clustered_latents(N, seed=1))
    fresh = MilvusServer(str(tmp_path / "fresh.db"), "audio_7")
    other = clustered_latents(N, seed=8)
    assert answers(server, other) == answers(fresh, other)
    assert {i for row in answers(server, other, IDS + 1) for _, i in row} <= set(IDS + 1)
    assert len(collections(server)) == 1


def test_a_name_that_begins_alike_is_left_alone(server: MilvusServer) -> None:
    """Filling one collection drops none of another name, not even of one that the name begins."""
    items = clustered_latents(N, seed=1)
    answers(MilvusServer(server.uri, "audio_7_v1"), items)
    answers(server, items)
    assert len(collections(server)) == 2


def test_a_half_filled_collection_is_filled_anew(server: MilvusServer) -> None:
    """What a stopped build left, fewer items under the same description, is noticed."""
    items = clustered_latents(N, seed=1)
    first = answers(server, items)
    client = connected(server)
    [collection] = client.list_collections()
    client.delete(collection, ids=[hit for _, hit in first[0]])
    client.close()
    assert answers(server, items) == first


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
