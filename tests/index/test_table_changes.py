"""A table on the disk that follows the catalogue equals one that is read anew, whatever changed, and reads little."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogue_samples import SECONDS, ingest, same, video
from latent_samples import clustered_latents
from library_samples import first_release

import index.changes as changes
import index.table_changes as table_changes
from index.catalogue import Catalogue
from index.latents_on_disk import ConceptsOnDisk
from index.migrations import STEPS
from index.records import LatentBatch, LatentTable, Second
from index.seconds import Stretch
from index.table_rows import Items, load_items
from model.errors import LibraryChanged
from model.modality import MODALITIES, Modality

ARRAYS = ("ids", "video_numbers", "start_s", "heard", "seen", "stamps")


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Return of each reading of items of how many videos it was; None for all."""
    found: list[int | None] = []

    def counted(c: sqlite3.Connection, modality: Modality, searched: np.ndarray, among: np.ndarray | None) -> Items:
        found.append(None if among is None else len(among))
        return load_items(c, modality, searched, among)

    monkeypatch.setattr(table_changes, "load_items", counted)
    return found


def bits(table: LatentTable) -> np.ndarray:
    """Return which items have which of 32 concepts."""
    assert isinstance(table.concepts, ConceptsOnDisk)
    return np.array([table.has_concept(column) for column in range(32)])


def assert_equal(found: LatentTable, whole: LatentTable) -> None:
    for name in ARRAYS:
        one, other = getattr(found, name), getattr(whole, name)
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist(), name
    assert bits(found).tolist() == bits(whole).tolist()
    assert (found.fingerprint, found.catalogue_version) == (whole.fingerprint, whole.catalogue_version)
    assert list(found.videos) == list(whole.videos)
    assert [vars(one) for one in found.videos.values()] == [vars(one) for one in whole.videos.values()]
    assert found.video_columns.positions.tolist() == whole.video_columns.positions.tolist()
    assert found.latents.widths == whole.latents.widths
    assert same(found.latents[:], whole.latents[:])
    read, expected = found.concepts[:], whole.concepts[:]
    assert read.tolist() == expected.tolist()


class Changes:
    """Change a catalogue at random, in every way that there is."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self._catalogue, self._random, self._count = catalogue, random.Random(seed), 0

    def batch(self, seconds: list[int]) -> LatentBatch | None:
        if not seconds or self._random.random() < 0.2:
            return None
        self._count += 1
        columns = self._random.choice([0, 5, 20])
        drawn = np.random.default_rng(self._count).integers(0, 256, (len(seconds), columns)).astype(np.uint8)
        return LatentBatch(
            np.array(seconds), clustered_latents(len(seconds), seed=self._count), drawn if columns else None
        )

    def change(self) -> None:
        ways = (
            ["add"] * 4
            + ["rewrite"] * 4
            + ["label", "delete", "miss", "find", "find", "move", "date", "stamp", "model"]
        )
        known = list(self._catalogue.every_video())
        way = self._random.choice(ways) if len(known) > 3 else "add"
        one = self._random.choice(known) if known else video(0)
        if way == "add":
            self._count += 1
            added = replace(video(self._count), label=self._random.choice(["dog", None]))
            seconds = [(s, self._random.random() < 0.7, self._random.random() < 0.7) for s in range(3)]
            self._catalogue.ingest(added, seconds, self.batch([0, 2]), self.batch([0, 1]))
        elif way == "rewrite":
            seconds = [Second(s, True, self._random.random() < 0.5) for s in range(self._random.randrange(1, 6))]
            kept = [second.start_s for second in seconds]
            self._catalogue.rewrite(
                replace(one, duration_s=9.0), Stretch(0), seconds, self.batch(kept), self.batch(kept[1:])
            )
        elif way == "label":
            self._catalogue.update_labels(one.video_id, self._random.choice(["cat", None]), 0.0, 1.0)
        elif way == "delete":
            self._catalogue.delete_video(one.video_id)
        elif way in ("miss", "find"):
            some = [v.video_id for v in self._random.sample(known, 3)]
            self._catalogue.mark_missing(some, missing=way == "miss")
        elif way == "move":
            self._catalogue.relocate(one.video_id, f"/moved/{self._random.random()}.mp4")
        elif way == "date":
            self._catalogue.put_modified(one.video_id, self._random.random())
        elif way == "stamp":
            self._catalogue.stamp(replace(one, decoding=self._random.randrange(9), loss_s=0.5))
            self._catalogue.put_modified(self._random.choice(known).video_id, self._random.random())  # a version
        else:
            batches = [(v.video_id, m, b) for v in known for m in MODALITIES if (b := self.batch([0])) is not None]
            self._catalogue.replace_latents(f"model-{self._random.random()}", batches)


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_a_table_that_is_read_anew(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, read: list[int | None], seed: int
) -> None:
    """After changes of every kind, a table made of any earlier one; and that one stays as it was."""
    monkeypatch.setattr(changes, "KEPT", 6)
    random_changes, chosen = Changes(catalogue, seed), random.Random(seed)
    earlier: dict[Modality, list[LatentTable]] = {m: [catalogue.table_on_disk(m)] for m in MODALITIES}
    beside = earlier["audio"][0]
    for _ in range(60):
        random_changes.change()
        for modality in chosen.sample(MODALITIES, 2):
            whole, before = catalogue.table_on_disk(modality), chosen.choice(earlier[modality][-12:])
            held = [getattr(before, name).tolist() for name in ARRAYS], list(before.videos.values())
            found = catalogue.table_on_disk(modality, before, chosen.choice([beside, None]))
            assert held == ([getattr(before, name).tolist() for name in ARRAYS], list(before.videos.values()))
            if found is not before:  # else nothing that answers depend on has changed
                assert_equal(found, whole)
                earlier[modality].append(found)
                beside = found
    assert 20 < sum(count is not None for count in read) < 120, "some of it was read anew, and some was not"


def test_what_has_not_changed_is_shared(catalogue: Catalogue, read: list[int | None]) -> None:
    """After another label all arrays and other records are the same objects; both modalities share the videos."""
    for number in range(5):
        ingest(catalogue, number)
    before = {m: catalogue.table_on_disk(m) for m in MODALITIES}
    catalogue.update_labels(video(2).video_id, "cat", None, None)
    audio = catalogue.table_on_disk("audio", before["audio"])
    visual = catalogue.table_on_disk("visual", before["visual"], audio)
    assert read == [None, None, 1, 1]
    for table, last in ((audio, before["audio"]), (visual, before["visual"])):
        assert all(getattr(table, name) is getattr(last, name) for name in ARRAYS)
        assert table.concepts.bits is last.concepts.bits  # type: ignore[union-attr]
    assert audio.videos[video(1).video_id] is before["audio"].videos[video(1).video_id]
    assert audio.videos[video(2).video_id].label == "cat"
    assert visual.videos is audio.videos
    assert visual.video_columns is audio.video_columns


def test_the_log_of_changes_is_bounded(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, read: list[int | None]
) -> None:
    """It holds the newest changes; a table from before them is read anew, one of after them is not."""
    monkeypatch.setattr(changes, "KEPT", 10)
    ingest(catalogue, 0)
    oldest = catalogue.table_on_disk("audio")
    for n in range(50):
        if n == 46:
            recent = catalogue.table_on_disk("audio")
        catalogue.put_modified(video(0).video_id, float(n))
        with catalogue._store.read() as c:
            assert c.execute("SELECT count(*) FROM changes").fetchone()[0] <= 20
    read.clear()
    for before in (oldest, recent):
        assert_equal(catalogue.table_on_disk("audio", before), catalogue.table_on_disk("audio"))
    assert read == [None, None, 1, None]


def test_a_change_of_more_videos_than_the_log_keeps_is_one_of_all(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, read: list[int | None]
) -> None:
    """They are not logged; the next table is read anew."""
    monkeypatch.setattr(changes, "KEPT", 3)
    for number in range(5):
        ingest(catalogue, number)
    before = catalogue.table_on_disk("audio")
    catalogue.mark_missing([video(n).video_id for n in range(4)])
    assert catalogue.table_on_disk("audio", before).ids.tolist() == before.ids[-2:].tolist()
    assert read == [None, None]


def test_a_version_that_nobody_logged_is_not_passed_over(catalogue: Catalogue, tmp_path: Path) -> None:
    """An older release that still runs may write without the log: what it wrote is found."""
    for number in range(2):
        ingest(catalogue, number)
    before = catalogue.table_on_disk("audio")
    c = sqlite3.connect(tmp_path / "catalogue.sqlite")
    with c:
        c.execute("UPDATE videos SET label = 'owl' WHERE position = 1")
        c.execute("UPDATE meta SET value = value + 1 WHERE key = 'catalogue_version'")
    c.close()
    catalogue.update_labels(video(1).video_id, "cat", None, None)
    found = catalogue.table_on_disk("audio", before)
    assert [one.label for one in found.videos.values()] == ["owl", "cat"]


def test_only_videos_that_are_there_are_logged(catalogue: Catalogue) -> None:
    """A writer that deletes a video first, and would leave it out of the log, is our bug."""
    ingest(catalogue, 0)
    with pytest.raises(AssertionError, match="that are there"), catalogue._store.write() as c:
        changes.count_change(c, [video(0).video_id, "absent"])


def test_seconds_that_were_written_anew_are_said(catalogue: Catalogue) -> None:
    """Their latents are never taken for those of the table; its concepts have none; other seconds are read."""
    for number in range(2):
        ingest(catalogue, number)
    drawn = np.full((2, 9), 255, np.uint8)
    catalogue.ingest(video(5), SECONDS, LatentBatch(np.array([0, 2]), clustered_latents(2), drawn))
    table = catalogue.table_on_disk("audio")
    last = len(table.ids) - 2
    latents = table.latents[[last, 0, last]]
    assert table.concepts[[last, 0]].tolist() == [[255] * 9, [0] * 9]
    again = LatentBatch(np.array([0, 2]), clustered_latents(2), drawn)
    catalogue.rewrite(video(5), Stretch(0), [Second(*second) for second in SECONDS], again)
    for rows in ([last], [0, last + 1]):
        with pytest.raises(LibraryChanged, match="written anew"):
            table.latents[rows]
    assert not table.concepts[[last, 0]].any()
    assert same(table.latents[[0, 0]], latents[[1, 1]])
    assert same(catalogue.table_on_disk("audio", table).latents[[last, 0, last]], latents)


@pytest.mark.parametrize("unlogged", ["a new model", "an older release"])
def test_a_note_does_not_make_a_version_known(catalogue: Catalogue, unlogged: str) -> None:
    """After a video is stamped, which raises no version, the next version may change anything: all is read anew."""
    for number in range(3):
        ingest(catalogue, number)
    table = catalogue.table_on_disk("audio")
    for _ in range(3):
        catalogue.stamp(replace(video(1), decoding=7))
    if unlogged == "a new model":
        replaced = [
            (v.video_id, "audio", LatentBatch(np.array([0]), clustered_latents(1))) for v in catalogue.every_video()
        ]
        catalogue.replace_latents("another", replaced)
    else:
        with catalogue._store.write() as c:
            c.execute("UPDATE meta SET value = value + 1 WHERE key = 'catalogue_version'")
    with catalogue._store.read() as c:
        assert changes.changed_since(c, table.catalogue_version) is None
        assert c.execute("SELECT count(*) FROM changes WHERE position = 2").fetchone()[0] <= 2, "noted once a version"
    assert_equal(catalogue.table_on_disk("audio", table), catalogue.table_on_disk("audio"))


def test_schema_10_had_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins empty: what was before is read anew, what comes is logged; latents of then are read by their stamp."""
    path = tmp_path / "old.sqlite"
    first_release(path)
    with monkeypatch.context() as older:
        older.setattr("index.migrations.STEPS", {version: STEPS[version] for version in range(2, 11)})
        Catalogue(path).close()
    with Catalogue(path) as catalogue:
        table = catalogue.table_on_disk("audio")
        assert same(table.latents[:], catalogue.latents("audio").latents)
        (one,) = table.videos
        catalogue.update_labels(one, "owl", None, None)
        with catalogue._store.read() as c:
            assert changes.changed_since(c, table.catalogue_version).tolist() == [1]
            assert changes.changed_since(c, table.catalogue_version - 1) is None
            assert changes.changed_since(c, table.catalogue_version + 2) is None
        assert_equal(catalogue.table_on_disk("audio", table), catalogue.table_on_disk("audio"))
