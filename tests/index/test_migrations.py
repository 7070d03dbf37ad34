"""A library of an older release is brought up to date when it is opened: every step whole, once, or not at all."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from library_samples import VIDEO_ID, first_release

from index.catalogue import Catalogue
from index.migrations import STEPS, newest, schema_version
from index.records import Failure
from index.store import Store
from model.errors import LibraryError


def layout(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every table's columns and every index's, as SQLite describes them."""
    c = sqlite3.connect(path)
    names = sorted(row[0] for row in c.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'index')"))
    found = {name: c.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
    found |= {f"{name}, index": c.execute(f"PRAGMA index_info({name})").fetchall() for name in names}
    c.close()
    return found


def stored_version(path: Path) -> int:
    store = Store(path, read_only=True)
    try:
        with store.read() as c:
            return schema_version(c)
    finally:
        store.close()


def test_a_library_of_the_first_release_is_upgraded_with_all_it_holds(tmp_path: Path) -> None:
    """Its videos, labels and latents are as before, its layout is that of a new library, and it takes in more."""
    path = tmp_path / "old.sqlite"
    mu = first_release(path)
    Catalogue(tmp_path / "new.sqlite").close()
    with Catalogue(path) as catalogue:
        video = catalogue.video(VIDEO_ID)
        assert (video.label, video.event_end_s, video.file_name, video.size_bytes) == ("dog", 1.0, "a.wav", None)
        table = catalogue.latents("audio")
        assert (table.ids.tolist(), table.latents.mu.tobytes()) == ([7], mu.tobytes())
        assert table.concepts.shape == (1, 0)
        assert (catalogue.fingerprint, catalogue.catalogue_version) == ("abc", 3)
        catalogue.delete_video(VIDEO_ID)
        assert catalogue.stats().audio_latents == 0
        catalogue.ingest(video, [(0, True, True)])
    assert stored_version(path) == newest()
    assert layout(path) == layout(tmp_path / "new.sqlite")


def test_what_schema_5_held_counts_as_whole_and_as_decoded_by_the_first_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its videos are complete, nothing of them is lost or missing, and they are known as decoded by older rules."""
    path = tmp_path / "old.sqlite"
    first_release(path)
    with monkeypatch.context() as older:
        older.setattr("index.migrations.STEPS", {version: STEPS[version] for version in range(2, 6)})
        Store(path).close()
        assert stored_version(path) == 5
    with Catalogue(path) as catalogue:
        video, (row,) = catalogue.video(VIDEO_ID), catalogue.segments_of(VIDEO_ID)
        assert (video.loss_s, video.audio_track, video.decoding) == (0.0, None, 1)
        assert (video.complete, video.missing) == (True, False)
        assert (row.heard, row.seen, row.sound_whole, row.frame_whole) == (True, False, True, True)
        assert catalogue.outdated(2) == [VIDEO_ID]
        assert catalogue.outdated(1) == []
        assert catalogue.latents("audio").ids.tolist() == [7]
    assert stored_version(path) == newest()


@pytest.mark.parametrize(("uploaded", "modified_s"), [(1, 1767225601.0), (0, None)])
def test_schema_6_knew_no_dates_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uploaded: int, modified_s: float | None
) -> None:
    """An upload gets the date on which it came; a file in place has none until it is ingested again."""
    path = tmp_path / "old.sqlite"
    first_release(path)
    with monkeypatch.context() as older:
        older.setattr("index.migrations.STEPS", {version: STEPS[version] for version in range(2, 7)})
        Store(path).close()
    c = sqlite3.connect(path)
    c.execute("UPDATE videos SET uploaded = ?, added_at = '2026-01-01T00:00:01.5+00:00'", (uploaded,))
    c.commit()
    c.close()
    with Catalogue(path) as catalogue:
        video = catalogue.video(VIDEO_ID)
        assert video.modified_s == modified_s
        catalogue.put_modified(VIDEO_ID, 7.5)
        assert catalogue.video(VIDEO_ID).modified_s == 7.5
    assert stored_version(path) == newest()


def test_steps_are_taken_in_order_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two made-up steps beyond the newest are run when the library is opened, and not again the next time."""
    path, first = tmp_path / "c.sqlite", newest() + 1
    Catalogue(path).close()
    monkeypatch.setitem(STEPS, first, ("CREATE TABLE notes (n INTEGER)", "INSERT INTO notes VALUES (1)"))
    monkeypatch.setitem(STEPS, first + 1, ("INSERT INTO notes SELECT n + 1 FROM notes",))
    for _ in range(2):
        Catalogue(path).close()
    assert stored_version(path) == first + 1
    c = sqlite3.connect(path)
    assert c.execute("SELECT n FROM notes ORDER BY n").fetchall() == [(1,), (2,)]
    c.close()


def test_a_step_that_fails_leaves_the_library_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement before the failing one is undone with it, the step before stays; once mended it goes on."""
    path, first = tmp_path / "c.sqlite", newest() + 1
    Catalogue(path).close()
    monkeypatch.setitem(STEPS, first, ("CREATE TABLE good (n INTEGER)",))
    monkeypatch.setitem(STEPS, first + 1, ("CREATE TABLE half (n INTEGER)", "INSERT INTO absent VALUES (1)"))
    with pytest.raises(LibraryError, match="absent"):
        Catalogue(path)
    assert stored_version(path) == first
    assert {"good"} == layout(path).keys() & {"good", "half"}
    monkeypatch.setitem(STEPS, first + 1, ("CREATE TABLE half (n INTEGER)",))
    Catalogue(path).close()
    assert stored_version(path) == first + 1


def test_many_that_open_at_once_take_a_step_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads that open an older library each find it upgraded, by one of them."""
    path, following = tmp_path / "c.sqlite", newest() + 1
    Catalogue(path).close()
    monkeypatch.setitem(STEPS, following, ("CREATE TABLE IF NOT EXISTS notes (n)", "INSERT INTO notes VALUES (1)"))
    with ThreadPoolExecutor(8) as threads:
        for catalogue in threads.map(Catalogue, [path] * 8):
            catalogue.close()
    c = sqlite3.connect(path)
    assert c.execute("SELECT count(*) FROM notes").fetchone() == (1,)
    c.close()


def test_opening_for_reading_alone_upgrades_nothing(tmp_path: Path) -> None:
    """An older library that is only looked at keeps its version and every byte; an absent one is not made."""
    path = tmp_path / "c.sqlite"
    first_release(path)
    before = path.read_bytes()
    with Catalogue(path, read_only=True) as catalogue:
        assert catalogue.fingerprint == "abc"
        with pytest.raises(LibraryError, match="readonly"):
            catalogue.record_failure(Failure("/x", "damaged", "", ""))
    assert path.read_bytes() == before
    with pytest.raises(LibraryError, match=r"absent\.sqlite given.*expected"):
        Catalogue(tmp_path / "absent.sqlite", read_only=True)
    assert not (tmp_path / "absent.sqlite").exists()
