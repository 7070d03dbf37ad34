"""A disk that is full is an error that says so; what was there before is there still, and nothing half done is left."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from library_samples import files_below, other_checkpoint, small_snapshot, state
from service_samples import Command, assert_problem, film, serving, upload

from app.library.check import check
from index import snapshot
from index.library import Library
from index.migrations import STEPS, newest, schema_version
from index.snapshot import restore, take
from index.store import Store
from model.errors import LibraryError
from model.network.checkpoint import Checkpoint

LIBRARY = 4
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Save a checkpoint of the same front-end whose weights differ from the shipped one's."""
    return other_checkpoint(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the snapshot of a library of two videos, with a checkpoint and an upload of a few bytes."""
    return small_snapshot(tmp_path)


@contextmanager
def full_catalogue(pages: int = 4) -> Iterator[None]:
    """Let catalogues grow by no more than some pages: SQLite itself then says that the disk is full."""
    connect = Store._connect

    def limited(self: Store) -> sqlite3.Connection:
        c = connect(self)
        there = c.execute("PRAGMA page_count").fetchone()[0] - c.execute("PRAGMA freelist_count").fetchone()[0]
        c.execute(f"PRAGMA max_page_count = {there + pages}")
        return c

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_connect", limited)
        yield


@contextmanager
def full_after(writes: int, patched: type, name: str) -> Iterator[None]:
    """Let the method that writes bytes fail from its n-th call on, having written a part."""
    write: Callable[..., int] = getattr(patched, name)
    calls = 0

    def limited(self: Path, content: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > writes:
            write(self, content[:10])
            raise FULL
        return write(self, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patched, name, limited)
        yield


def test_ingest_onto_a_full_disk_keeps_what_came_before(echolens: Command, own_library: Path, tmp_path: Path) -> None:
    """4 with the remedy where the catalogue is full; no file of the clip is left, it comes in once there is room."""
    clip, before, served = film(tmp_path / "clip.mp4", 2, 3, 3.0), files_below(own_library), state(own_library)
    with full_catalogue():
        ran = echolens("ingest", clip, "--library", own_library)
    assert (ran.code, "is full" in ran.err, "free some space" in ran.err) == (LIBRARY, True, True)
    assert "Traceback" not in ran.err
    assert files_below(own_library).keys() - {"writer.lock"} == before.keys() - {"writer.lock"}
    assert state(own_library) == served
    assert echolens("ingest", clip, "--library", own_library).code == 0
    assert check(own_library, media=True) == []


def test_a_disk_that_fills_with_previews_stops_ingest(echolens: Command, own_library: Path, tmp_path: Path) -> None:
    """The same where the fourth preview no longer fits; no part of it is left."""
    clip, before, served = film(tmp_path / "clip.mp4", 2, 3, 3.0), files_below(own_library), state(own_library)
    with full_after(3, Path, "write_bytes"):
        ran = echolens("ingest", clip, "--library", own_library)
    assert (ran.code, "No space left" in ran.err) == (LIBRARY, True)
    assert files_below(own_library).keys() - {"writer.lock"} == before.keys() - {"writer.lock"}
    assert state(own_library) == served


def test_a_disk_that_fills_with_features_stops_ingest(
    echolens: Command, own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where the features do not fit."""

    def full(file: object, **_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise FULL

    clip, before, served = film(tmp_path / "clip.mp4", 2, 3, 3.0), files_below(own_library), state(own_library)
    monkeypatch.setattr(np, "savez", full)
    ran = echolens("ingest", clip, "--library", own_library)
    assert (ran.code, "No space left" in ran.err) == (LIBRARY, True)
    assert files_below(own_library).keys() - {"writer.lock"} == before.keys() - {"writer.lock"}
    assert state(own_library) == served


def test_an_upload_onto_a_full_disk_is_a_problem(
    own_library: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with the reason, nothing of it is kept, and the service answers on."""

    def full(source: object, target: object) -> None:
        raise FULL

    with serving(own_library) as client:
        monkeypatch.setattr("app.http.uploads.shutil.copyfileobj", full)
        assert_problem(upload(client, footage[0]), 503, "library", "No space left")
        assert client.get("/jobs").json() == []
        assert list((own_library / "media").iterdir()) == []
        assert client.get("/health/ready").status_code == 200


def test_reencoding_onto_a_full_disk_keeps_the_old_latents(echolens: Command, own_library: Path, other: Path) -> None:
    """4; the old model answers as before, no latent of the new one is left, and with room it is done."""
    before = state(own_library)
    ask = ("library", "reencode", "--checkpoint", other, "--library", own_library)
    with full_catalogue(40):
        ran = echolens(*ask)
    assert (ran.code, "is full" in ran.err) == (LIBRARY, True)
    assert state(own_library) == before
    assert check(own_library, media=False) == []
    assert echolens(*ask).code == 0
    assert state(own_library)[0] == Checkpoint.load(other).fingerprint


def test_a_checkpoint_that_does_not_fit_is_not_taken(
    echolens: Command, own_library: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying it fails half way: 4, no part of it is left, the old model serves."""

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise FULL

    before, files = state(own_library), files_below(own_library / "checkpoints")
    monkeypatch.setattr("app.library.model_swap.shutil.copyfile", full)
    ran = echolens("library", "reencode", "--checkpoint", other, "--library", own_library)
    assert (ran.code, "No space left" in ran.err) == (LIBRARY, True)
    assert state(own_library) == before
    assert files_below(own_library / "checkpoints") == files


def test_a_snapshot_onto_a_full_disk_keeps_the_older_one(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full at the first file, at the last or while flushing: the older snapshot is as it was, nothing beside it."""
    before, names = small.read_bytes(), sorted(tmp_path.iterdir())
    add = snapshot._add
    for end in ("snapshot.json", "manifest.json", "flush"):

        def full(tar: object, name: str, *rest: object, end: str = end) -> None:
            if name == end:
                raise FULL
            add(tar, name, *rest)  # type: ignore[arg-type]

        def full_flush(descriptor: int) -> None:
            raise FULL

        monkeypatch.setattr(snapshot, "_add", full)
        if end == "flush":
            monkeypatch.setattr("index.snapshot.os.fsync", full_flush)
        with pytest.raises(LibraryError, match="No space left"):
            take(tmp_path / "small", small)
        monkeypatch.undo()
        assert small.read_bytes() == before
        assert sorted(tmp_path.iterdir()) == names
    restore(small, tmp_path / "restored")


def test_restoring_onto_a_full_disk_leaves_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a directory that was absent nor anything in one that was empty."""

    def full_flush(descriptor: int) -> None:
        raise FULL

    monkeypatch.setattr("index.snapshot.os.fsync", full_flush)
    (tmp_path / "empty").mkdir()
    for name in ("absent", "empty"):
        with pytest.raises(LibraryError, match="No space left"):
            restore(small, tmp_path / name)
    assert not (tmp_path / "absent").exists()
    assert list((tmp_path / "empty").iterdir()) == []


def test_an_upgrade_that_does_not_fit_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library keeps its schema and what it holds, and is upgraded once there is room."""
    with Library.open(tmp_path / "library") as library:
        library.catalogue.set_identity("raw", None)
    fill = "INSERT INTO fill SELECT value, zeroblob(4096) FROM json_each('[1,2,3,4,5,6,7,8,9]')"
    monkeypatch.setitem(STEPS, newest() + 1, ("CREATE TABLE fill (n, b)", fill))
    with full_catalogue(), pytest.raises(LibraryError, match="is full"):
        Library.open(tmp_path / "library")
    store = Store(tmp_path / "library" / "catalogue.sqlite", read_only=True)
    with store.read() as c:
        assert schema_version(c) == newest() - 1
    store.close()
    with Library.open(tmp_path / "library") as library:
        assert library.catalogue.frontend == "raw"
    with store.read() as c:
        assert schema_version(c) == newest()
    store.close()
