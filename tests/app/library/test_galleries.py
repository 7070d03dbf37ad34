"""Galleries: what a reader gets while another version is being built."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from latent_samples import clustered_latents
from service_samples import until

import app.library.galleries
from app.library.galleries import Galleries, ServedGallery
from index.brute_force import BruteForceGallery
from index.latents_on_disk import LatentsOnDisk
from index.records import LatentTable
from model.data.distance import ScoreWeights
from model.errors import (
    DeviceError,
    DeviceMemoryShort,
    EmptyLibrary,
    LibraryChanged,
    LibraryError,
    Mismatch,
    UntrainedLibrary,
)
from model.modality import Modality


class Library:
    """Stand in for a catalogue: a version, what building it waits for, and how often it was built."""

    def __init__(self) -> None:
        self.version, self.builds, self.empty, self.takes_s = 1, 0, False, 0.0
        self.failure: Exception | None = None
        self.on_disk = False
        self.last: ServedGallery | None = None
        self.ready = threading.Event()
        self.ready.set()

    def build(self, modality: Modality, last: ServedGallery | None) -> ServedGallery:
        assert last is self.last, "the gallery before this one is passed on"
        version, self.builds = self.version, self.builds + 1
        if self.failure is not None:
            raise self.failure
        self.last = None
        assert self.ready.wait(30)
        time.sleep(self.takes_s)
        if self.empty:
            raise EmptyLibrary("nothing")
        ids, numbers, there = np.arange(3), np.zeros(3, int), np.ones(3, bool)
        latents = clustered_latents(3)
        kept = LatentsOnDisk(ids, *latents.widths[1:], lambda ids: latents[ids]) if self.on_disk else latents
        none = np.zeros((3, 0), np.uint8)
        table = LatentTable(ids, numbers, ids, there, there, kept, "model", version, {}, none)
        self.last = ServedGallery(table, BruteForceGallery(ids, latents, ScoreWeights()), None)  # type: ignore[arg-type]
        return self.last


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def galleries(library: Library) -> Iterator[Galleries]:
    galleries = Galleries(library.build, lambda: library.version)
    yield galleries
    library.ready.set()
    galleries.close()


def version(galleries: Galleries) -> int:
    return galleries.get("audio").table.catalogue_version


def test_a_change_is_seen_at_once_where_building_is_quick(library: Library, galleries: Galleries) -> None:
    """Built once for each version, and only when asked."""
    assert [version(galleries), version(galleries)] == [1, 1]
    library.version = 5
    assert [version(galleries), version(galleries)] == [5, 5]
    assert library.builds == 2


def test_readers_go_on_with_the_old_version_while_a_new_one_is_built(
    library: Library, galleries: Galleries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They get the old one until the new one stands, which is built once for all."""
    monkeypatch.setattr(app.library.galleries, "PATIENCE_S", 0.01)
    assert version(galleries) == 1
    library.ready.clear()
    library.version = 2
    with ThreadPoolExecutor(9) as threads:
        assert list(threads.map(lambda _: version(galleries), range(8))) == [1] * 8
    library.ready.set()
    until(lambda: version(galleries) == 2)
    assert library.builds == 2


def test_what_is_built_of_an_older_version_is_not_taken_for_the_latest(library: Library, galleries: Galleries) -> None:
    """A change during a building is built after it; who asked before it may get either version."""
    library.ready.clear()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(version, galleries)
        while not library.builds:
            pass
        library.version = 2
        second = threads.submit(version, galleries)
        library.ready.set()
        assert second.result(30) == 2
        assert first.result(30) in {1, 2}
    assert library.builds == 2


def test_an_emptied_library_is_told_and_can_be_filled_again(library: Library, galleries: Galleries) -> None:
    """The old served does not outlive its items, not even in the error."""
    assert version(galleries) == 1
    old = weakref.ref(galleries.get("audio").gallery)
    library.version, library.empty = 2, True
    for _ in range(2):
        with pytest.raises(EmptyLibrary):
            version(galleries)
    gc.collect()
    assert old() is None
    library.version, library.empty = 3, False
    assert version(galleries) == 3


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
FAILED = RuntimeError("CUDA error: unspecified launch failure")


@pytest.mark.parametrize("failure", [DeviceMemoryShort("short"), DeviceError("failed"), OUT_OF_MEMORY, FAILED])
def test_a_device_that_fails_leaves_what_serves(
    library: Library, galleries: Galleries, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Readers go on with the gallery that there is, and the next one is built when the device works again.

    Meanwhile it is tried once in each rest, however often readers ask.
    """
    monkeypatch.setattr(app.library.galleries, "RETRY_S", 0.1)
    assert version(galleries) == 1
    served, started, asked = galleries.get("audio"), time.monotonic(), 0
    library.version, library.failure = 2, failure
    while time.monotonic() < started + 0.5:
        assert galleries.get("audio") is served
        asked += 1
    assert 2 <= library.builds <= 2 + (time.monotonic() - started) / 0.1
    assert asked > 10 * library.builds
    library.failure = None
    until(lambda: version(galleries) == 2)


@pytest.mark.parametrize("failure", [DeviceMemoryShort("short"), OUT_OF_MEMORY, FAILED])
def test_a_device_that_fails_before_anything_serves_is_told(
    library: Library, galleries: Galleries, failure: Exception
) -> None:
    """As an error of the device, whatever PyTorch called it; the next question builds again."""
    library.failure = failure
    with pytest.raises(DeviceError) as raised:
        version(galleries)
    assert isinstance(raised.value, DeviceMemoryShort) == (failure is not FAILED)
    library.failure = None
    assert version(galleries) == 1


@pytest.mark.parametrize("failure", [LibraryError("Milvus cannot be used"), LibraryChanged("a second is gone")])
def test_an_index_elsewhere_that_is_away_leaves_what_serves(
    library: Library, galleries: Galleries, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """As where a device fails: readers go on, and the next one is built when the index can be used again."""
    monkeypatch.setattr(app.library.galleries, "RETRY_S", 0.1)
    library.on_disk = True
    assert version(galleries) == 1
    served = galleries.get("audio")
    library.version, library.failure = 2, failure
    until(lambda: galleries.get("audio") is served and library.builds > 2)
    library.failure = None
    until(lambda: version(galleries) == 2)


@pytest.mark.parametrize("failure", [EmptyLibrary("none"), UntrainedLibrary("none"), Mismatch("another")])
@pytest.mark.parametrize("on_disk", [True, False])
def test_a_library_that_cannot_serve_ends_what_serves(
    library: Library, galleries: Galleries, failure: Exception, on_disk: bool
) -> None:
    """Wherever the latents are: readers are told what it lacks, and the old gallery is gone."""
    library.on_disk = on_disk
    assert version(galleries) == 1
    library.version, library.failure = 2, failure
    with pytest.raises(type(failure)):
        until(lambda: version(galleries) == 2)
    assert galleries.last("audio") is None


def test_building_rests_where_changes_come_one_after_the_other(
    library: Library, galleries: Galleries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes its share of the time, nobody waits for it meanwhile, and the last change is seen in the end."""
    monkeypatch.setattr(app.library.galleries, "CREDIT_S", 0.0)
    monkeypatch.setattr(app.library.galleries, "SHARE", 0.1)
    monkeypatch.setattr(library, "takes_s", 0.05)
    assert version(galleries) == 1
    started, seen = time.monotonic(), [1]
    while time.monotonic() < started + 1.5:
        library.version += 1
        seen.append(version(galleries))
    spent_s = time.monotonic() - started
    assert library.builds <= 3 + spent_s * 0.1 / 0.05
    assert seen == sorted(seen)
    assert len(seen) > 10 * library.builds, "readers go on"
    until(lambda: version(galleries) == library.version)


def test_a_rest_ends_with_the_service(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing waits for a gallery that is being built, not for one that is not begun."""
    monkeypatch.setattr(app.library.galleries, "SHARE", 1e-6)
    monkeypatch.setattr(library, "takes_s", 0.01)
    galleries = Galleries(library.build, lambda: library.version)
    monkeypatch.setattr(app.library.galleries, "CREDIT_S", 0.0)
    assert version(galleries) == 1
    library.version = 2
    assert version(galleries) == 2
    library.version = 3
    assert version(galleries) == 2
    galleries.close()
    assert library.builds == 2
