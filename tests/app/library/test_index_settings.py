"""The settings choose the index, which keeps its file beside the library and is never believed when damaged."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from gpu_stand_in import gpu_stand_in
from latent_samples import clustered_latents

import app.library.session
from app.library.index_settings import IndexSettings
from app.library.session import Session
from app.settings import Settings
from index.hnsw_gallery import HnswGallery
from index.library import Library
from index.records import LatentTable
from model.data.distance import ScoreWeights

ITEMS = 5000


@pytest.fixture
def table() -> LatentTable:
    there = np.ones(ITEMS, bool)
    latents = clustered_latents(ITEMS)
    none = np.zeros((ITEMS, 0), np.uint8)
    return LatentTable(
        np.arange(ITEMS), np.zeros(ITEMS, int), np.arange(ITEMS), there, there, latents, "model", 1, {}, none
    )


def test_settings_name_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment; a name that is no index is refused."""
    monkeypatch.setenv("ECHOLENS_INDEX", "hnsw")
    monkeypatch.setenv("ECHOLENS_SEARCH_BUDGET", "7")
    assert (Settings().index_settings.choice, Settings().index_settings.budget) == ("hnsw", 7)
    monkeypatch.setenv("ECHOLENS_INDEX", "magic")
    with pytest.raises(ValueError, match="hnsw"):
        Settings()


def test_the_chosen_index_answers(tmp_path: Path, table: LatentTable) -> None:
    """The certified cascade unless something else is asked for; a budget is kept."""
    query, paths = table.latents[[0]], {}
    with Library.open(tmp_path) as library:
        for index_settings in (IndexSettings(), IndexSettings("hnsw"), IndexSettings("ivf"), IndexSettings(budget=5)):
            found = index_settings.gallery(library, "visual", table, ScoreWeights()).search(query, 5)
            paths[index_settings] = found.path, found.recall is not None
            assert index_settings.budget is None or found.examined <= index_settings.budget
    assert list(paths.values()) == [("cascade", False), ("hnsw", True), ("ivf", True), ("cascade", False)]


def test_the_index_lies_on_the_device_of_the_session(own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU a session keeps FAISS off a GPU that is there; one on the GPU uses it."""
    with gpu_stand_in() as card:

        def path() -> str:
            chosen = IndexSettings("ivf")
            with Session.open(own_library, torch.device("cpu"), create=False, index_settings=chosen) as session:
                return session.gallery("audio").gallery.path  # type: ignore[attr-defined]

        assert path() == "ivf"
        assert card.used == 0
        monkeypatch.setattr(app.library.session, "free_bytes", lambda device: 8 << 30)
        assert path() == "ivf-gpu"
        assert card.used > 0


def test_a_damaged_index_file_is_made_anew(
    tmp_path: Path, table: LatentTable, caplog: pytest.LogCaptureFixture
) -> None:
    """Kept in the cache and read again; with one bit flipped, rebuilt with a warning, and the same answers."""
    query = table.latents[[17]]
    with Library.open(tmp_path) as library:
        file = library.cache / "index" / "audio.faiss"

        def ids() -> list[int]:
            gallery = IndexSettings("ivf").gallery(library, "audio", table, ScoreWeights())
            return [int(i) for i in gallery.search(query, 5).ids]

        first, kept = ids(), file.read_bytes()
        caplog.clear()
        assert ids() == first
        assert not caplog.records
        damaged = bytearray(kept)
        damaged[len(damaged) // 2] ^= 1
        file.write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            assert ids() == first
        assert "is damaged" in caplog.text
        assert file.read_bytes()[: len(kept) // 2] == kept[: len(kept) // 2]


def test_a_library_beyond_the_certified_ones_follows_its_changes(
    own_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its latents are in memory; a table of those is no table that the next one on the disk can follow."""
    monkeypatch.setattr("index.gallery_choice.CERTIFIED_UP_TO", 5)
    with Session.open(own_library, torch.device("cpu"), create=False) as session:
        served = session.gallery("visual")
        assert isinstance(served.gallery, HnswGallery)
        gone = next(iter(served.table.videos))
        session.library.catalogue.delete_video(gone)
        after = session.gallery("visual")
        assert after.table.catalogue_version == session.library.catalogue.catalogue_version
        assert gone not in after.table.videos
        assert len(after.gallery) < len(served.gallery)
