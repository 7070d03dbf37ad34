"""A table whose latents stay on the disk tells what one in memory does, and reads only what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogue_samples import SECONDS, ingest, same, video
from latent_samples import clustered_latents
from library_samples import first_release

import index.latents_on_disk as latents_on_disk
from index.catalogue import Catalogue
from index.latents_on_disk import ConceptsOnDisk
from index.records import LatentBatch, LatentTable, Second
from index.seconds import Stretch
from model.errors import LibraryChanged, LibraryError

COLUMNS = ("ids", "start_s", "heard", "seen", "video_ids", "labels")


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def concepts(n: int, seed: int, columns: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, columns)).astype(np.uint8)


def fill(catalogue: Catalogue) -> None:
    """Add videos with and without concepts and labels, one of them missing later."""
    for number in range(5):
        ingest(catalogue, number, "dog" if number % 2 else None)
    batch = LatentBatch(np.array([0, 2]), clustered_latents(2, seed=50), concepts(2, 5))
    catalogue.ingest(video(9), SECONDS, batch, None)
    catalogue.mark_missing([video(3).video_id])


@pytest.mark.parametrize("modality", ["audio", "visual"])
def test_it_tells_what_a_table_in_memory_tells(catalogue: Catalogue, modality: str) -> None:
    """Columns, latents to the last bit, concepts and which items have one: of all rows, of some and of none."""
    fill(catalogue)
    held = catalogue.latents(modality)  # type: ignore[arg-type]
    found = catalogue.table_on_disk(modality)  # type: ignore[arg-type]
    for name in COLUMNS:
        assert getattr(found, name).tolist() == getattr(held, name).tolist()
    assert found.videos == held.videos
    assert (found.fingerprint, found.catalogue_version) == (held.fingerprint, held.catalogue_version)
    assert found.count_videos(None) == held.count_videos(None)
    for rows in (slice(None), np.array([3, 0, 3]), [1], np.arange(0)):
        assert same(found.latents[rows], held.latents[rows])
        if held.concepts.shape[1] and len(held.concepts[rows]):
            read = found.concepts[rows]
            assert read.tolist() == held.concepts[rows][:, : read.shape[1]].tolist()
            assert not held.concepts[rows][:, read.shape[1] :].any()
    for column in range(20):
        assert found.has_concept(column).tolist() == held.has_concept(column).tolist()


def test_what_it_holds_of_an_item_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arrays take at most 60 bytes an item with 248 concepts, and none has the length of all latents."""
    n = 3000
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        batch = LatentBatch(np.arange(n), clustered_latents(n, seed=1), concepts(n, 1, 248))
        catalogue.ingest(video(1), [(s, True, False) for s in range(n)], batch)
        table = catalogue.table_on_disk("audio")
        held = {id(a): a for part in (table, table.concepts, table.latents) for a in _arrays(part)}
        assert sum(array.nbytes for array in held.values()) <= 60 * n
        assert sum(array.nbytes for array in _arrays(catalogue.latents("audio").latents)) > 60 * n


def _arrays(thing: object) -> list[np.ndarray]:
    return [value for value in vars(thing).values() if isinstance(value, np.ndarray)]


def stamps(table: LatentTable) -> dict[int, int]:
    assert table.stamps is not None
    return dict(zip(table.ids.tolist(), table.stamps.tolist(), strict=True))


def test_a_stamp_changes_exactly_where_latents_are_written(catalogue: Catalogue) -> None:
    """Labels and new videos change none; a rewritten stretch changes its own, to values never seen; so does a model."""
    fill(catalogue)
    first = stamps(catalogue.table_on_disk("audio"))
    catalogue.update_labels(video(1).video_id, "cat", None, None)
    ingest(catalogue, 7)
    second = stamps(catalogue.table_on_disk("audio"))
    assert second.items() >= first.items()
    again = LatentBatch(np.array([0]), clustered_latents(1, seed=99))
    kept = [row for row in catalogue.segments_of(video(0).video_id) if row.start_s == 0]
    catalogue.rewrite(video(0), Stretch(0, 1), [Second(0, True, True)], again)
    third = stamps(catalogue.table_on_disk("audio"))
    assert {i for i, stamp in third.items() if second[i] != stamp} == {kept[0].segment_id}
    assert third[kept[0].segment_id] not in {*first.values(), *second.values()}
    catalogue.replace_latents("other", [(video(0).video_id, "audio", again)])
    assert not set(stamps(catalogue.table_on_disk("audio")).values()) & set(third.values())


def test_seconds_that_are_gone_are_said(catalogue: Catalogue) -> None:
    """Latents of a deleted video cannot be read; its concepts are none."""
    fill(catalogue)
    table = catalogue.table_on_disk("audio")
    catalogue.delete_video(video(9).video_id)
    with pytest.raises(LibraryChanged, match="ask again"):
        table.latents[[len(table.ids) - 1]]
    assert not table.concepts[[len(table.ids) - 1]].any()
    assert isinstance(table.concepts, ConceptsOnDisk)


def test_too_many_rows_at_once_are_refused(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit into memory is an error with a remedy, not a great allocation."""
    fill(catalogue)
    table = catalogue.table_on_disk("audio")
    monkeypatch.setattr(latents_on_disk, "MOST_BYTES", 5 * 4 * sum(table.latents.widths) + 3)
    assert len(table.latents[:5]) == 5
    with pytest.raises(LibraryError, match=r"at most 5 at once expected.*ECHOLENS_INDEX"):
        table.latents[:]


def test_blocks_of_latents_in_memory_are_no_copies() -> None:
    """All rows come as views, chosen rows as they are asked for."""
    items = clustered_latents(10)
    blocks = list(latents_on_disk.blocks_of(items, 4))
    assert [rows.tolist() for rows, _ in blocks] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(np.shares_memory(block.generated, items.generated) for _, block in blocks)
    chosen = list(latents_on_disk.blocks_of(items, 2, np.array([7, 1, 3])))
    assert [rows.tolist() for rows, _ in chosen] == [[7, 1], [3]]
    assert [block.mu.tolist() for _, block in chosen] == [items.mu[[7, 1]].tolist(), items.mu[[3]].tolist()]


def test_latents_of_an_older_release_have_a_stamp_of_their_library(tmp_path: Path) -> None:
    """Before stamps were kept, all of a library have one, which another library does not have."""
    found = []
    for name in ("a", "b"):
        first_release(tmp_path / f"{name}.sqlite")
        for _ in range(2):
            with Catalogue(tmp_path / f"{name}.sqlite") as catalogue:
                found.append(stamps(catalogue.table_on_disk("audio")))
    assert found[0] == found[1] != found[2] == found[3]
    assert 0 not in found[0].values()


def test_an_empty_library_has_an_empty_table(catalogue: Catalogue) -> None:
    """Nothing to read is no error."""
    table = catalogue.table_on_disk("visual")
    assert (len(table.ids), len(table.latents), table.has_concept(3).tolist()) == (0, 0, [])
    assert replace(table).videos == {}
