"""The catalogue keeps what it acknowledged, gives it back unchanged, and counts its versions."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from catalogue_samples import SECONDS, ingest, job, same, video
from latent_samples import clustered_latents

import index.job_queue
from index.catalogue import Catalogue
from index.job_state import JobState
from index.records import Failure, LatentBatch, LatentTable, Second
from index.rows import put_latents
from index.seconds import Stretch
from index.store import Store
from model.data.latents import Latents
from model.errors import LibraryBusy, LibraryError, Mismatch, NotFound
from model.modality import Modality

ROOT = Path(__file__).parents[2]


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def test_what_was_ingested_comes_back_unchanged_after_reopening(tmp_path: Path) -> None:
    """Records equal what went in; latents, subnormal and negative zero too, equal bit by bit."""
    special = clustered_latents(2, seed=5)
    special.mu[0, :3] = [1e-45, -0.0, 3.4e38]
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        catalogue.ingest(video(1, "dog"), SECONDS, LatentBatch(np.array([2, 0]), special), None)
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        assert catalogue.video(video(1).video_id) == video(1, "dog")
        assert [(s.start_s, s.heard, s.seen) for s in catalogue.segments_of(video(1).video_id)] == SECONDS
        table = catalogue.latents("audio")
        assert table.start_s.tolist() == [0, 2]
        assert same(table.latents, special[[1, 0]])
        assert table.labels.tolist() == ["dog", "dog"]
        assert table.video_ids.tolist() == [video(1).video_id] * 2
        assert catalogue.segment(int(table.ids[1])).start_s == 2
        assert len(catalogue.latents("visual").latents) == 0


def test_concepts_come_back_and_an_item_without_any_has_zeros(catalogue: Catalogue) -> None:
    """A matrix of bytes goes in and comes out by second; without one there are no columns, beside one there are zeros.

    They are part of what a model's change exchanges.
    """
    ingest(catalogue, 1)
    assert catalogue.latents("audio").concepts.shape == (2, 0)
    given = np.array([[0, 128, 255], [7, 0, 1]], np.uint8)
    catalogue.ingest(video(2), SECONDS, LatentBatch(np.array([2, 0]), clustered_latents(2), given))
    table = catalogue.latents("audio")
    assert table.concepts.tolist() == [[0, 0, 0], [0, 0, 0], [7, 0, 1], [0, 128, 255]]
    assert catalogue.latent_of(int(table.ids[3]), "audio").concepts.tolist() == [[0, 128, 255]]
    found = catalogue.concepts_of(video(2).video_id, "audio")
    assert {second: found[second].tolist() for second in found} == dict(
        zip(table.ids[2:].tolist(), given[::-1].tolist(), strict=True)
    )
    assert catalogue.concepts_of(video(1).video_id, "audio") == {}
    other = LatentBatch(np.array([0]), clustered_latents(1), np.array([[9, 9]], np.uint8))
    catalogue.replace_latents("new", [(video(2).video_id, "audio", other)])
    assert catalogue.latents("audio").concepts.tolist() == [[9, 9]]


def test_latents_are_ordered_by_segment_over_videos(catalogue: Catalogue) -> None:
    """Ids ascend over videos, each row stays with its latent, and one video's rows are part of the whole."""
    batches = [ingest(catalogue, n) for n in range(5)]
    table = catalogue.latents("visual")
    assert (np.diff(table.ids) > 0).all()
    assert same(table.latents, Latents.concatenate([visual for _, visual in batches]))
    alone = catalogue.latents_of(video(3).video_id, "visual")
    assert same(alone.latents, batches[3][1])
    assert alone.ids.tolist() == table.ids[table.video_ids == video(3).video_id].tolist()
    assert table.catalogue_version == catalogue.catalogue_version
    one = catalogue.latent_of(int(table.ids[4]), "visual")
    assert (one.ids.tolist(), one.catalogue_version) == ([table.ids[4]], table.catalogue_version)
    assert same(one.latents, table.latents[[4]])
    assert len(catalogue.latent_of(10**6, "visual").ids) == 0


def test_a_video_grows_by_stretches(catalogue: Catalogue) -> None:
    """What is appended is there at once and complete at the end; older seconds keep their ids and latents."""
    begun = replace(video(1), duration_s=3.0, complete=False, loss_s=0.5)
    ingest_parts = [Second(3, True, False, sound_whole=False), Second(5, False, True, frame_whole=False)]
    audio = clustered_latents(2)
    catalogue.ingest(begun, SECONDS, LatentBatch(np.array([0, 2]), audio))
    before = catalogue.segments_of(begun.video_id)
    assert catalogue.stats().incomplete == 1
    assert catalogue.end_s(begun.video_id) == 3
    ended = replace(begun, duration_s=6.0, loss_s=1.25, complete=True, label="not of the reading")
    context = LatentBatch(np.array([2, 3]), clustered_latents(2, seed=9))
    catalogue.rewrite(ended, Stretch(3), ingest_parts, context)
    rows = catalogue.segments_of(begun.video_id)
    assert rows[:3] == before
    assert [(r.start_s, r.heard, r.seen, r.sound_whole, r.frame_whole) for r in rows[3:]] == [
        (3, True, False, False, True),
        (5, False, True, True, False),
    ]
    assert catalogue.video(begun.video_id) == replace(ended, label=None)
    table = catalogue.latents("audio")
    assert table.start_s.tolist() == [0, 2, 3]
    assert same(table.latents, Latents.concatenate([audio[[0]], context.latents]))
    stats = catalogue.stats()
    assert (stats.incomplete, stats.lossy, stats.loss_s, catalogue.end_s(begun.video_id)) == (0, 1, 1.25, 6)
    assert catalogue.end_s("none") == 0


def test_a_stretch_is_written_anew_and_the_rest_stays(catalogue: Catalogue) -> None:
    """Of seconds 1 and 2 the last goes and the other changes, with its id; second 0 keeps all. All or nothing."""
    ingest(catalogue, 1)
    ids = [row.segment_id for row in catalogue.segments_of(video(1).video_id)]
    first = catalogue.latent_of(ids[0], "audio").latents
    spoilt = clustered_latents(1)
    spoilt.mu[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        catalogue.rewrite(video(1), Stretch(1), [Second(1, True, False)], LatentBatch(np.array([1]), spoilt))
    assert [row.segment_id for row in catalogue.segments_of(video(1).video_id)] == ids
    catalogue.rewrite(video(1), Stretch(1, 3), [Second(1, True, False)], LatentBatch(np.array([1]), first))
    rows = catalogue.segments_of(video(1).video_id)
    assert [(r.segment_id, r.start_s, r.heard, r.seen) for r in rows] == [(ids[0], 0, True, True), (ids[1], 1, 1, 0)]
    assert catalogue.latents("audio").ids.tolist() == ids[:2]
    assert catalogue.latents("visual").ids.tolist() == [ids[0]]
    with pytest.raises(NotFound):
        catalogue.rewrite(video(2), Stretch(0), [])


def test_a_part_costs_the_same_however_long_its_video_is(catalogue: Catalogue) -> None:
    """Its latents are written without reading the seconds of the other parts."""
    catalogue.ingest(video(1), [Second(second, True, False) for second in range(1000)])
    read: list[object] = []

    def counting(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> sqlite3.Row:
        read.append(row)
        return sqlite3.Row(cursor, row)

    with catalogue._store.write() as c:
        c.row_factory = counting
        put_latents(c, 0, video(1).video_id, "audio", LatentBatch(np.array([500, 501]), clustered_latents(2)))
        c.row_factory = sqlite3.Row
    assert len(read) < 10
    assert catalogue.latents("audio").start_s.tolist() == [500, 501]


def test_what_went_missing_is_not_searched(catalogue: Catalogue) -> None:
    """Its items are in no table of the library until it is there again; each news raises the version once."""
    for number in range(3):
        ingest(catalogue, number)
    before, version, ids = catalogue.latents("audio"), catalogue.catalogue_version, [video(n).video_id for n in (0, 2)]
    assert catalogue.mark_missing(ids) == 2
    assert catalogue.mark_missing(ids) == 0
    assert catalogue.catalogue_version == version + 1
    table = catalogue.latents("audio")
    assert set(table.video_ids) == set(table.videos) == {video(1).video_id}
    assert catalogue.stats().missing == 2
    assert len(catalogue.latents_of(video(0).video_id, "audio").ids) == 2, "they are kept"
    assert catalogue.mark_missing(ids, missing=False) == 2
    assert catalogue.latents("audio").ids.tolist() == before.ids.tolist()


def test_the_same_content_is_added_once(catalogue: Catalogue) -> None:
    """A second file of the same bytes returns the first's record and changes nothing but a failure."""
    ingest(catalogue, 1, "dog")
    before = catalogue.stats()
    catalogue.record_failure(Failure("/elsewhere.mp4", "damaged", "cut short", "2026-01-02"))
    twin = replace(video(1, "cat"), path="/elsewhere.mp4")
    assert catalogue.ingest(twin, [(0, True, True)]) == video(1, "dog")
    assert catalogue.find_by_sha256(twin.sha256) == video(1, "dog")
    assert catalogue.failures() == []
    assert catalogue.stats() == before


CHANGES: list[Callable[[Catalogue], object]] = [
    lambda c: c.ingest(video(9), SECONDS),
    lambda c: c.update_labels(video(1).video_id, "cat", 0.0, 2.5),
    lambda c: c.delete_video(video(1).video_id),
    lambda c: c.replace_latents("new", []),
    lambda c: c.set_identity("raw", None),
    lambda c: c.rewrite(video(1), Stretch(1), []),
    lambda c: c.mark_missing([video(1).video_id]),
    lambda c: c.relocate(video(1).video_id, "/elsewhere.mp4"),
]
REST: list[Callable[[Catalogue], object]] = [
    lambda c: c.ingest(video(1), SECONDS),
    lambda c: c.record_failure(Failure("/x", "damaged", "", "")),
    lambda c: c.queue.accept(job(1), 100),
    lambda c: c.queue.take_up(),
    lambda c: c.latents("audio"),
    lambda c: c.stamp(replace(video(1), decoding=2)),
]


@pytest.mark.parametrize(("act", "step"), [*((a, 1) for a in CHANGES), *((a, 0) for a in REST)])
def test_the_version_counts_what_answers_depend_on(
    catalogue: Catalogue, act: Callable[[Catalogue], object], step: int
) -> None:
    """Content changes raise the version by one; jobs, failures, reads and known content do not."""
    ingest(catalogue, 1)
    before = catalogue.catalogue_version
    act(catalogue)
    assert catalogue.catalogue_version == before + step


def test_an_ingest_that_fails_leaves_nothing(catalogue: Catalogue) -> None:
    """A NaN, a second that the video lacks or a foreign dimension undoes video, segments and latents."""
    ingest(catalogue, 1)
    before = catalogue.stats()
    spoilt = clustered_latents(1)
    spoilt.generated[0, 0] = np.nan
    wrong: list[tuple[type[Exception], int, Latents]] = [
        (ValueError, 0, spoilt),
        (NotFound, 7, clustered_latents(1)),
        (Mismatch, 0, clustered_latents(1, latent=9)),
        (Mismatch, 0, clustered_latents(1, pair=25)),
    ]
    for error, second, latents in wrong:
        audio, visual = LatentBatch(np.array([0]), clustered_latents(1)), LatentBatch(np.array([second]), latents)
        with pytest.raises(error, match=r"given|expected"):
            catalogue.ingest(video(2), SECONDS, audio, visual)
    assert catalogue.stats() == before
    assert catalogue.find_by_sha256(video(2).sha256) is None


def test_deleting_takes_everything_and_ids_are_not_given_again(catalogue: Catalogue) -> None:
    """Segments and latents go with their video, and later segments get ids of their own."""
    ingest(catalogue, 1)
    ids = set(catalogue.latents("audio").ids.tolist())
    catalogue.delete_video(video(1).video_id)
    stats = catalogue.stats()
    assert (stats.videos, stats.segments, stats.audio_latents, stats.visual_latents) == (0, 0, 0, 0)
    for call in (catalogue.video, catalogue.segments_of, catalogue.delete_video):
        with pytest.raises(NotFound, match="video"):
            call(video(1).video_id)
    with pytest.raises(NotFound, match="segment"):
        catalogue.segment(ids.pop())
    ingest(catalogue, 2)
    assert not ids & set(catalogue.latents("audio").ids.tolist())


def test_videos_come_in_pages(catalogue: Catalogue) -> None:
    """Following the positions lists each video once, in the order of adding, deleted ones apart."""
    order = [3, 1, 2, 5, 4]
    for n in order:
        catalogue.ingest(video(n), [])
    catalogue.delete_video(video(2).video_id)
    page = catalogue.page(2)
    seen = [*page.videos]
    while page.following is not None:
        page = catalogue.page(2, page.following)
        assert len(page.videos) <= 2
        assert page.chosen == 4
        seen += page.videos
    assert seen == [video(n) for n in order if n != 2]


def test_a_page_is_counted_only_where_the_library_has_changed(catalogue: Catalogue) -> None:
    """At the same version what the page before counted is believed: a page costs the same in a library of any size."""
    for n in range(1, 4):
        catalogue.ingest(video(n), [])
    following = catalogue.page(1).following
    assert following is not None
    said = replace(following, count=7, chosen=70)
    assert catalogue.page(1, said).before == said
    catalogue.ingest(video(4), [])
    assert catalogue.page(1, said).before == replace(following, version=catalogue.catalogue_version, chosen=4)


def test_labels_are_replaced(catalogue: Catalogue) -> None:
    """A label reaches the video, the table and the statistics, and None takes it away."""
    ingest(catalogue, 1)
    labelled = catalogue.update_labels(video(1).video_id, "dog", 0.5, 2.0)
    assert (labelled.label, labelled.event_start_s, labelled.event_end_s) == ("dog", 0.5, 2.0)
    assert set(catalogue.latents("audio").labels.tolist()) == {"dog"}
    assert catalogue.stats().labelled == 1
    catalogue.update_labels(video(1).video_id, None, None, None)
    assert catalogue.video(video(1).video_id) == video(1)
    assert catalogue.latents("audio").labels.tolist() == ["", ""]


def test_stats_count(catalogue: Catalogue) -> None:
    """Every number of an empty and of a small library is right."""
    assert catalogue.stats().videos == catalogue.stats().catalogue_version == 0
    catalogue.set_identity("raw", "abc")
    ingest(catalogue, 1, "dog")
    ingest(catalogue, 2)
    catalogue.record_failure(Failure("/bad.mp4", "damaged", "cut short", "2026-01-02"))
    stats = catalogue.stats()
    assert (stats.videos, stats.segments, stats.audio_latents, stats.visual_latents) == (2, 6, 4, 4)
    assert (stats.failed, stats.labelled, stats.duration_s) == (1, 1, 6.0)
    assert (stats.frontend, stats.fingerprint, stats.catalogue_version) == ("raw", "abc", 3)


def test_identity_does_not_change_under_latents(catalogue: Catalogue) -> None:
    """A front-end changes freely until there is footage, a fingerprint until latents of another are there."""
    assert (catalogue.frontend, catalogue.fingerprint) == (None, None)
    catalogue.set_identity("paper", None)
    catalogue.set_identity("raw", "abc")
    ingest(catalogue, 1)
    with pytest.raises(Mismatch, match="raw"):
        catalogue.set_identity("paper", "abc")
    catalogue.set_identity("raw", "abc")
    with pytest.raises(Mismatch, match="abc"):
        catalogue.set_identity("raw", "def")
    assert (catalogue.frontend, catalogue.fingerprint) == ("raw", "abc")


def test_new_latents_are_swapped_in_at_once(catalogue: Catalogue) -> None:
    """While a new model encodes, readers see the old latents, jobs can be written; then the new are there."""
    catalogue.set_identity("raw", "old")
    old = [ingest(catalogue, n)[0] for n in range(2)]
    new = [clustered_latents(2, latent=4, pair=6, seed=n) for n in range(2)]

    def batches() -> Iterator[tuple[str, Modality, LatentBatch]]:
        for n in range(2):
            assert same(catalogue.latents("audio").latents, Latents.concatenate(old))
            assert catalogue.fingerprint == "old"
            assert catalogue.stats().audio_latents == 4
            catalogue.queue.accept(job(n), 100)
            yield video(n).video_id, "audio", LatentBatch(np.array([0, 2]), new[n])

    catalogue.replace_latents("new", batches())
    table = catalogue.latents("audio")
    assert same(table.latents, Latents.concatenate(new))
    assert table.fingerprint == catalogue.fingerprint == "new"
    assert len(catalogue.latents("visual").latents) == 0


def test_a_front_end_is_exchanged_with_the_latents(catalogue: Catalogue) -> None:
    """Front-end, fingerprint and latents change in one step, also to no model at all; until then all is old."""
    catalogue.set_identity("raw", "old")
    ingest(catalogue, 1)
    new = clustered_latents(2, latent=4, pair=6)

    def batches() -> Iterator[tuple[str, Modality, LatentBatch]]:
        assert catalogue.identity == ("raw", "old")
        yield video(1).video_id, "audio", LatentBatch(np.array([0, 2]), new)

    before = catalogue.catalogue_version
    catalogue.replace_latents("new", batches(), "pretrained")
    assert (catalogue.identity, catalogue.catalogue_version) == (("pretrained", "new"), before + 1)
    assert same(catalogue.latents("audio").latents, new)
    catalogue.replace_latents(None, [], "raw")
    assert catalogue.identity == ("raw", None)
    assert catalogue.stats().audio_latents == 0


def test_videos_are_told_by_the_folder_of_their_files(catalogue: Catalogue) -> None:
    """Those in a folder of the library, with all below it, and those elsewhere; a like name is another folder."""
    assert catalogue.is_empty
    for number in range(4):
        ingest(catalogue, number)
    assert not catalogue.is_empty
    catalogue.relocate(video(1).video_id, "media/drawn/1.mp4")
    catalogue.relocate(video(2).video_id, "media/drawn-2/1.mp4")
    outside, count = catalogue.videos_outside("media/drawn")
    assert (sorted(outside), count) == (sorted(video(n).video_id for n in (0, 2, 3)), 4)


def test_a_swap_that_fails_keeps_the_old(catalogue: Catalogue) -> None:
    """An encoder that dies half way leaves the old latents, and the next attempt starts clean."""
    catalogue.set_identity("raw", "old")
    audio, _ = ingest(catalogue, 1)
    version = catalogue.catalogue_version

    def dying() -> Iterator[tuple[str, Modality, LatentBatch]]:
        yield video(1).video_id, "audio", LatentBatch(np.array([0, 2]), clustered_latents(2, latent=4, pair=6))
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        catalogue.replace_latents("new", dying())
    assert same(catalogue.latents("audio").latents, audio)
    assert (catalogue.fingerprint, catalogue.catalogue_version) == ("old", version)
    third = clustered_latents(1, latent=3, pair=5)
    catalogue.replace_latents("third", [(video(1).video_id, "audio", LatentBatch(np.array([0]), third))])
    assert same(catalogue.latents("audio").latents, third)


def test_a_video_that_is_deleted_during_a_swap_is_passed_over(catalogue: Catalogue) -> None:
    """Its new latents come too late: the swap goes on with the others, and nothing of it is left."""
    for number in range(2):
        ingest(catalogue, number)

    def batches() -> Iterator[tuple[str, Modality, LatentBatch]]:
        catalogue.delete_video(video(0).video_id)
        for number in range(2):
            yield video(number).video_id, "audio", LatentBatch(np.array([0, 2]), clustered_latents(2, latent=4, pair=6))

    catalogue.replace_latents("new", batches())
    table = catalogue.latents("audio")
    assert set(table.video_ids.tolist()) == {video(1).video_id}
    assert table.latents.mu.shape == (2, 4)


def test_every_video_passes_over_what_is_deleted_meanwhile(catalogue: Catalogue) -> None:
    """The order is that of adding; a video that goes while others are looked at is left out."""
    for number in (3, 1, 2):
        catalogue.ingest(video(number), [])
    seen = []
    for found in catalogue.every_video():
        seen.append(found)
        if len(seen) == 1:
            catalogue.delete_video(video(1).video_id)
    assert seen == [video(3), video(2)]


def test_failures_are_kept_by_path(catalogue: Catalogue) -> None:
    """The newest failure of a path stands; ingesting the path forgets it."""
    catalogue.record_failure(Failure(video(1).path, "damaged", "a", "2026-01-01"))
    catalogue.record_failure(Failure("/b.mp4", "too_short", "b", "2026-01-02"))
    catalogue.record_failure(Failure(video(1).path, "silent", "c", "2026-01-03"))
    assert [(f.path, f.code) for f in catalogue.failures()] == [
        ("/b.mp4", "too_short"),
        (video(1).path, "silent"),
    ]
    catalogue.ingest(video(1), [])
    assert [f.path for f in catalogue.failures()] == ["/b.mp4"]


def test_jobs_are_kept_and_requeued(catalogue: Catalogue) -> None:
    """A job comes back as accepted, keeps what an update does not name, and is queued anew once it was cut off."""
    catalogue.queue.accept(job(1), 100)
    catalogue.queue.accept(job(2), 100)
    assert catalogue.queue.job("job-1") == job(1)
    running = catalogue.queue.update("job-1", state="running", progress=0.5)
    assert (running.state, running.progress, running.payload) == ("running", 0.5, job(1).payload)
    assert running.updated_at > job(1).updated_at
    assert catalogue.queue.update("job-1", result={"videos": 3}).state == "running"
    catalogue.queue.take_up()
    assert [(j.job_id, j.state) for j in catalogue.queue.jobs()] == [("job-2", "queued"), ("job-1", "queued")]
    assert catalogue.queue.job("job-1").result == {"videos": 3}
    with pytest.raises(NotFound, match="job-3"):
        catalogue.queue.update("job-3", progress=1.0)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """The message names both versions and the remedy."""
    path = tmp_path / "c.sqlite"
    Catalogue(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(LibraryError, match=r"99.*upgrade"):
        Catalogue(path)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """Neither noise nor another program's SQLite file is taken for a catalogue."""
    noise, foreign = tmp_path / "noise.sqlite", tmp_path / "foreign.sqlite"
    noise.write_bytes(b"no database at all" * 1000)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    for path in (noise, foreign):
        with pytest.raises(LibraryError, match=r"given.*expected"):
            Catalogue(path)


def test_readers_do_not_wait_for_a_writer(catalogue: Catalogue) -> None:
    """While a write is under way in one thread, another reads the state before it."""
    ingest(catalogue, 1)
    writing, done = Event(), Event()

    def segments() -> Iterator[tuple[int, bool, bool]]:
        yield 0, True, True
        writing.set()
        assert done.wait(20)

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(catalogue.ingest, video(2), segments())
        assert writing.wait(20)
        try:
            assert catalogue.stats().videos == 1
            assert len(catalogue.latents("audio").ids) == 2
        finally:
            done.set()
        slow.result()
    assert catalogue.stats().videos == 2


def test_a_writer_does_not_wait_for_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is made while a reader holds a snapshot, and the snapshot stays as it was."""
    monkeypatch.setattr("index.store.BUSY_TIMEOUT_S", 0.01)
    store, count = Store(tmp_path / "c.sqlite"), "SELECT count(*) FROM failures"
    with store.read() as reader:
        assert reader.execute(count).fetchone()[0] == 0
        with store.write() as writer:
            writer.execute("INSERT INTO failures VALUES ('/a', 'b', 'c', 'd')")
        assert reader.execute(count).fetchone()[0] == 0
    with store.read() as reader:
        assert reader.execute(count).fetchone()[0] == 1
    store.close()


def test_a_file_that_stays_locked_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that holds the write lock ends in LibraryBusy, not in sqlite3's error."""
    monkeypatch.setattr("index.store.BUSY_TIMEOUT_S", 0.01)
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(LibraryBusy, match="try again"):
                catalogue.ingest(video(1), SECONDS)
        finally:
            other.close()
        catalogue.ingest(video(1), SECONDS)


def test_threads_write_and_read_together(catalogue: Catalogue) -> None:
    """Eight threads lose no write, and every table read is whole."""

    def work(n: int) -> LatentTable:
        ingest(catalogue, n)
        return catalogue.latents("audio")

    with ThreadPoolExecutor(8) as threads:
        tables = list(threads.map(work, range(40)))
    assert catalogue.stats().audio_latents == 80
    assert catalogue.catalogue_version == 40
    assert all(len(t.ids) == 2 * t.catalogue_version for t in tables)


CHILD = """
import sys
from pathlib import Path
from catalogue_samples import ingest
from index.catalogue import Catalogue
catalogue = Catalogue(Path(sys.argv[1]))
for n in range(10_000):
    ingest(catalogue, n)
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill(tmp_path: Path) -> None:
    """A process killed while ingesting has lost nothing that it acknowledged, and left nothing half done."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "c.sqlite")],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'samples'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(20)]
        child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout]
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        for n in acknowledged:
            assert same(catalogue.latents_of(video(n).video_id, "audio").latents, clustered_latents(2, seed=n))
        stats = catalogue.stats()
        assert stats.audio_latents == stats.visual_latents == 2 * stats.videos
        assert stats.videos - len(acknowledged) in (0, 1)


def test_jobs_that_ended_long_ago_are_forgotten(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the latest so many: not what ended within a day, nor what waits, runs or can be tried again."""
    ends: list[tuple[JobState, dict[str, str]]] = [
        ("done", {}),
        ("cancelled", {}),
        ("failed", {"state": "failed"}),
        ("failed", {"code": "disk_full"}),
        ("running", {}),
        ("queued", {}),
        ("done", {}),
    ]
    for number, (state, result) in enumerate(ends):
        catalogue.queue.accept(job(number), 100)
        catalogue.queue.update(f"job-{number}", state=state, result=result)
    catalogue.queue.accept(job(8), 100)
    assert len(catalogue.queue.jobs()) == 8

    monkeypatch.setattr(index.job_queue, "MOST_KEPT", 2)
    monkeypatch.setattr(index.job_queue, "FORGET_EVERY", 1)
    catalogue.queue.accept(job(9), 100)
    assert len(catalogue.queue.jobs()) == 9, "they ended today"

    monkeypatch.setattr(index.job_queue, "KEY_LIFE", timedelta(0))
    catalogue.queue.accept(job(10), 100)
    assert [j.job_id for j in catalogue.queue.jobs()] == [f"job-{number}" for number in (10, 9, 8, 5, 4, 3)]
