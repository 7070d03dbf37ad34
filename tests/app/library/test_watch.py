"""A watched directory: what comes is taken in once it is written, and once; what leaves and returns is not lost."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from media_samples import tone, write_sound
from rights_samples import as_nobody
from service_samples import film, until

import app.library.examined
import app.library.reading
import app.library.watch
from app.commands.watch import take_in_as_it_comes
from app.library.examined import sort_out, sort_out_news, stamp_of
from app.library.ingest import Source, ingest
from app.library.listing import Listing, list_files
from app.library.missing import mark_gone
from app.library.session import Session
from app.library.videos import delete_video
from app.library.watch import Find, Watch
from app.media.decoding import Facts, inspect
from index.records import Video
from model.errors import DecoderDied, DeviceError, MediaError, NotAllowed, TookTooLong, TooMuchMemory, WorkerFailure
from model.media.medium import FOOTAGE

SETTLE_S, RESCAN_S = 0.1, 0.3


class Watching:
    """A library and what a watch does with it; `read` counts how often each file was opened to be read."""

    def __init__(self, session: Session, read: Counter[str]) -> None:
        self.session, self.read, self.looks = session, read, 0

    def videos(self) -> dict[str, Video]:
        """Return the videos that are whole, by the names of their files in their folders."""
        found = [video for video in self.session.library.catalogue.every_video() if video.complete]
        return {Path(video.path).name: video for video in found}

    def paths(self) -> set[str]:
        return {video.path for video in self.session.library.catalogue.every_video() if not video.missing}

    def missing(self) -> set[str]:
        return {video.file_name for video in self.session.library.catalogue.every_video() if video.missing}

    def look_around(self) -> None:
        """Wait until the watch has looked three times more, so that whatever it would do it has done."""
        looks = self.looks
        until(lambda: self.looks >= looks + 3)


@pytest.fixture(autouse=True)
def fine_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the times of files that were written just now: this file system's clock is finer than two seconds."""
    monkeypatch.setattr(app.library.examined, "COARSEST_CLOCK_NS", 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "footage").mkdir()
    return tmp_path / "footage"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session.open(tmp_path / "library", torch.device("cpu"), default="raw") as opened:
        yield opened


@pytest.fixture
def watched(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], object]]:
    """Return what watches `root` for a library in `tmp_path` for as long as it is entered."""
    read: Counter[str] = Counter()

    def counted(front_end: object, path: Path, *rest: object) -> Facts:
        read[path.name] += 1
        return inspect(front_end, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(app.library.reading, "inspect", counted)

    @contextmanager
    def watching(settle_s: float = SETTLE_S, rescan_s: float = RESCAN_S) -> Iterator[Watching]:
        stop = threading.Event()
        with Session.open(tmp_path / "library", torch.device("cpu"), default="raw") as session:
            told, failures = Watching(session, read), []
            watch = Watch(
                session.library, [root], lambda path: list_files([path]), attrgetter("path"), settle_s, rescan_s
            )
            look = watch.look

            def counting() -> object:
                told.looks += 1
                return look()

            monkeypatch.setattr(watch, "look", counting)

            def live() -> None:
                try:
                    take_in_as_it_comes(session, watch, stop)
                except BaseException as error:
                    failures.append(error)
                    raise

            thread = threading.Thread(target=live)
            thread.start()
            try:
                yield told
            finally:
                stop.set()
                thread.join()
                watch.close()
            assert failures == []

    return watching


def test_what_is_there_and_what_comes_is_taken_in_once(watched: Callable, root: Path) -> None:
    """In new folders too; a file that has not changed is not opened again, not even after a restart."""
    film(root / "first.mp4", 0, 0, 1.0)
    with watched() as told:
        until(lambda: set(told.videos()) == {"first.mp4"})
        (root / "new" / "deep").mkdir(parents=True)
        film(root / "new" / "deep" / "second.mp4", 1, 0, 1.0)
        until(lambda: set(told.videos()) == {"first.mp4", "second.mp4"})
        told.look_around()
        assert told.read == {"first.mp4": 1, "second.mp4": 1}
    with watched() as told:
        told.look_around()
        assert told.read == {"first.mp4": 1, "second.mp4": 1}


def test_an_event_is_enough(watched: Callable, root: Path) -> None:
    """Also in a folder that is new, and after the directory was away: nothing waits for the next look without one."""
    with watched(rescan_s=10_000.0) as told:
        film(root / "a.mp4", 0, 0, 1.0)
        until(lambda: "a.mp4" in told.videos())
        (root / "new").mkdir()
        film(root / "new" / "b.mp4", 1, 0, 1.0)
        until(lambda: "b.mp4" in told.videos())
        root.rename(root.parent / "elsewhere")
        root.mkdir()
        film(root / "c.mp4", 2, 0, 1.0)
        until(lambda: "c.mp4" in told.videos())


def test_a_file_that_grows_is_taken_in_when_it_is_whole(watched: Callable, root: Path, tmp_path: Path) -> None:
    """A recorder writes it piece by piece: it is opened once, at its end, and was no failure before."""
    content = film(tmp_path / "whole.mp4", 0, 0, 2.0).read_bytes()
    with watched(settle_s=1.0) as told, (root / "growing.mp4").open("wb") as file:
        for number in range(40):
            file.write(content[number * len(content) // 40 : (number + 1) * len(content) // 40])
            file.flush()
            time.sleep(0.05)
        assert told.videos() == {}
        until(lambda: set(told.videos()) == {"growing.mp4"})
        assert told.read == {"growing.mp4": 1}
        assert told.session.library.catalogue.failures() == []
        assert told.videos()["growing.mp4"].duration_s == 2.0


def test_a_renamed_and_a_moved_file_stay_the_same_video(watched: Callable, root: Path) -> None:
    """It keeps its id, and is found at its new place; nothing is missing."""
    film(root / "a.mp4", 0, 0, 1.0)
    with watched() as told:
        until(lambda: "a.mp4" in told.videos())
        video_id = told.videos()["a.mp4"].video_id
        (root / "a.mp4").rename(root / "b.mp4")
        until(lambda: told.paths() == {str(root / "b.mp4")})
        (root / "folder").mkdir()
        (root / "b.mp4").rename(root / "folder" / "b.mp4")
        until(lambda: told.paths() == {str(root / "folder" / "b.mp4")})
        told.look_around()
        assert (told.videos()["b.mp4"].video_id, told.missing()) == (video_id, set())


@pytest.mark.parametrize("how", ["written over", "moved over"])
def test_other_content_under_a_name_takes_its_place(watched: Callable, root: Path, tmp_path: Path, how: str) -> None:
    """One video of the new content is left, also where size and date are the old ones."""
    path = write_sound(root / "a.wav", tone(1), 16000)
    with watched() as told:
        until(lambda: "a.wav" in told.videos())
        old, dates = told.videos()["a.wav"], (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        if how == "written over":
            write_sound(path, tone(1, frequency_hz=880.0), 16000)
        else:
            os.replace(write_sound(tmp_path / "b.wav", tone(1, frequency_hz=880.0), 16000), path)
        os.utime(path, ns=dates)
        assert path.stat().st_size == old.size_bytes
        until(lambda: [v.sha256 != old.sha256 for v in told.session.library.catalogue.every_video()] == [True])


def test_a_deleted_file_is_missing_and_found_again(watched: Callable, root: Path) -> None:
    """Its video stays; once the file is back it is searched again, without being read where it is unchanged."""
    film(root / "a.mp4", 0, 0, 1.0)
    film(root / "stays.mp4", 1, 0, 1.0)
    with watched() as told:
        until(lambda: len(told.videos()) == 2)
        (root / "a.mp4").rename(root.parent / "a.mp4")
        until(lambda: told.missing() == {"a.mp4"})
        (root.parent / "a.mp4").rename(root / "a.mp4")
        until(lambda: told.missing() == set())
        assert len(told.videos()) == 2


@pytest.mark.parametrize("left", ["nothing", "an empty directory"])
def test_a_disk_that_leaves_marks_nothing(watched: Callable, root: Path, left: str) -> None:
    """Nothing is marked, read or lost; what comes once it is back is taken in."""
    film(root / "a.mp4", 0, 0, 1.0)
    with watched() as told:
        until(lambda: "a.mp4" in told.videos())
        root.rename(root.parent / "elsewhere")
        if left == "an empty directory":
            root.mkdir()
        told.look_around()
        assert (told.missing(), set(told.videos())) == (set(), {"a.mp4"})
        if left == "an empty directory":
            root.rmdir()
        (root.parent / "elsewhere").rename(root)
        film(root / "b.mp4", 1, 0, 1.0)
        until(lambda: "b.mp4" in told.videos())
        assert (told.read["a.mp4"], told.missing()) == (1, set())


def test_videos_that_went_missing_with_their_disk_are_back_with_it(watched: Callable, root: Path) -> None:
    """Their files are as they were: they are not read again."""
    (root / "disk").mkdir()
    film(root / "disk" / "a.mp4", 0, 0, 1.0)
    film(root / "b.mp4", 1, 0, 1.0)
    with watched() as told:
        until(lambda: len(told.videos()) == 2)
        (root / "disk").rename(root.parent / "disk")
        until(lambda: told.missing() == {"a.mp4"})
        (root.parent / "disk").rename(root / "disk")
        until(lambda: told.missing() == set())
        assert told.read == {"a.mp4": 1, "b.mp4": 1}


def test_many_files_at_once_all_come_in(watched: Callable, root: Path) -> None:
    """None is lost or doubled."""
    with watched() as told:
        for number in range(30):
            write_sound(root / f"{number}.wav", tone(1, 8000, 200.0 + 10 * number), 8000)
        until(lambda: len(told.videos()) == 30)
        told.look_around()
        assert set(told.read.values()) == {1}


def test_a_stop_leaves_the_files_that_follow(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, watched: Callable
) -> None:
    """It does not wait for a whole directory; the next start takes them in."""
    for number in range(20):
        write_sound(root / f"{number:02}.wav", tone(1, 8000, 200.0 + 10 * number), 8000)
    stop, read = threading.Event(), Counter[str]()

    def stopping(front_end: object, path: Path, *rest: object) -> Facts:
        read[path.name] += 1
        stop.set()
        return inspect(front_end, path, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as stopped:
        stopped.setattr(app.library.reading, "inspect", stopping)
        with Session.open(tmp_path / "library", torch.device("cpu"), default="raw") as session:
            watch = Watch(session.library, [root], lambda path: list_files([path]), attrgetter("path"), 0.0, RESCAN_S)
            take_in_as_it_comes(session, watch, stop)
            watch.close()
    assert 0 < len(read) < 15, "those that were handed out when it stopped, and no more"
    with watched() as told:
        until(lambda: len(told.videos()) == 20)


def test_what_no_event_tells_of_is_found(watched: Callable, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network share, or where the system has no room for another watch."""

    def refuse(*_: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(app.library.watch, "RustNotify", refuse)
    with watched() as told:
        film(root / "a.mp4", 0, 0, 1.0)
        until(lambda: "a.mp4" in told.videos())


def test_what_is_no_medium_or_broken_is_read_once(watched: Callable, root: Path) -> None:
    """Until it changes."""
    (root / "notes.txt").write_text("no medium")
    (root / "broken.mp4").write_bytes(b"no medium at all" * 100)
    with watched() as told:
        until(lambda: len(told.read) == 2)
        told.look_around()
        assert told.read == {"notes.txt": 1, "broken.mp4": 1}
        film(root / "broken.mp4", 0, 0, 1.0)
        until(lambda: "broken.mp4" in told.videos())
        assert told.session.library.catalogue.failures() == []


def test_a_video_that_a_person_deleted_stays_away(watched: Callable, root: Path) -> None:
    """Its file is still there; written anew it comes in again."""
    film(root / "a.mp4", 0, 0, 1.0)
    with watched() as told:
        until(lambda: "a.mp4" in told.videos())
        delete_video(told.session.library, told.videos()["a.mp4"].video_id)
        told.look_around()
        assert told.videos() == {}
        os.utime(root / "a.mp4")
        until(lambda: "a.mp4" in told.videos())


def test_of_two_copies_the_second_takes_the_place_of_the_first(watched: Callable, root: Path) -> None:
    """Both are read once; the video is never missing while one of them is there."""
    film(root / "a.mp4", 0, 0, 1.0)
    shutil.copy(root / "a.mp4", root / "b.mp4")
    with watched() as told:
        until(lambda: told.read == {"a.mp4": 1, "b.mp4": 1})
        told.look_around()
        assert (told.read, told.paths()) == ({"a.mp4": 1, "b.mp4": 1}, {str(root / "a.mp4")})
        (root / "a.mp4").unlink()
        until(lambda: told.paths() == {str(root / "b.mp4")})
        assert told.missing() == set()


def test_what_may_not_be_read_is_taken_in_once_it_may(open_path: Path) -> None:
    """The rest is taken in meanwhile; the watch goes on."""
    root = open_path / "footage"
    root.mkdir(mode=0o755)
    secret = write_sound(root / "secret.wav", tone(1), 16000)
    write_sound(root / "open.wav", tone(1, frequency_hz=300), 16000)
    secret.chmod(0)
    (open_path / "library").mkdir()
    (open_path / "library").chmod(0o777)

    def turn() -> None:
        for find in watch.look():
            with session.library.writer():
                pass
            ingest(session, find.sources, FOOTAGE)
            watch.hand_over(find)

    with as_nobody(), Session.open(open_path / "library", torch.device("cpu"), default="raw") as session:
        watch = Watch(session.library, [root], lambda path: list_files([path]), attrgetter("path"), 0.0, RESCAN_S)

        def names() -> set[str]:
            return {video.file_name for video in session.library.catalogue.every_video()}

        until(lambda: turn() or names() == {"open.wav"})
        assert not watch.look(), "what could not be read is not tried again and again"
        os.seteuid(0)
        secret.chmod(0o644)
        os.seteuid(65534)
        until(lambda: turn() or names() == {"open.wav", "secret.wav"})
        watch.close()


def test_what_an_older_release_took_in_is_not_read_again(watched: Callable, root: Path, tmp_path: Path) -> None:
    """It did not note what it read; size and date of its videos tell."""
    film(root / "a.mp4", 0, 0, 1.0)
    with watched() as told:
        until(lambda: "a.mp4" in told.videos())
        with told.session.library.catalogue._store.write() as c:
            c.execute("DELETE FROM examined_files")
        told.look_around()
        film(root / "b.mp4", 1, 0, 1.0)
        until(lambda: "b.mp4" in told.videos())
        assert told.read == {"a.mp4": 1, "b.mp4": 1}


def test_the_last_file_of_a_folder_goes_missing(watched: Callable, root: Path) -> None:
    """The folder that it leaves is empty, as one without its disk is; the one above it tells them apart."""
    (root / "day").mkdir()
    film(root / "day" / "a.mp4", 0, 0, 1.0)
    film(root / "stays.mp4", 1, 0, 1.0)
    with watched() as told:
        until(lambda: len(told.videos()) == 2)
        (root / "day" / "a.mp4").unlink()
        until(lambda: told.missing() == {"a.mp4"})


@pytest.mark.parametrize("error", [NotAllowed("a link out of the roots given"), OSError("I/O error")])
def test_a_directory_that_cannot_be_looked_at_stops_no_other(
    session: Session, root: Path, tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the others are watched on."""
    (tmp_path / "bad").mkdir()
    film(tmp_path / "bad" / "a.mp4", 0, 0, 1.0)
    good = film(root / "b.mp4", 1, 0, 1.0)

    def list_below(directory: Path) -> Listing:
        if directory != root:
            raise error
        return list_files([directory])

    watch = Watch(session.library, [tmp_path / "bad", root], list_below, attrgetter("path"), 0.0)
    assert watch.look() == []
    for _ in range(2):
        assert [source.path for find in watch.look() for source in find.sources] == [good]
    watch.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'bad'} ({error}), which is watched, cannot be looked at: it is tried again"
    ]


def test_a_watch_survives_whatever_reading_raises(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    """A GPU that fails, a disk error, a fault of Echolens: it waits and tries again."""
    monkeypatch.setattr("app.commands.watch.REFUSED_RETRY_S", 0.0)
    errors = [DeviceError("the GPU failed"), WorkerFailure("no process"), OSError("I/O error"), ValueError("a fault")]
    stop = threading.Event()

    class Failing:
        def look(self) -> list[Find]:
            if errors:
                raise errors.pop()
            stop.set()
            return []

        def wait(self, stop: threading.Event) -> None: ...

    take_in_as_it_comes(session, Failing(), stop)  # type: ignore[arg-type]
    assert errors == []


@pytest.mark.parametrize("error", [DecoderDied, TookTooLong, TooMuchMemory])
def test_a_failure_that_may_pass_is_tried_again(
    session: Session, root: Path, monkeypatch: pytest.MonkeyPatch, error: type[MediaError]
) -> None:
    """After an hour, or as soon as the file changes; not with each file that comes beside it."""

    def fail(*_: object) -> Facts:
        raise error("the machine was short of memory")

    monkeypatch.setattr(app.library.reading, "inspect", fail)
    source = Source(film(root / "a.mp4", 0, 0, 1.0), "a.mp4", listed=True)

    def to_read() -> tuple[Source, ...]:
        return sort_out_news(session.library, [source], [stamp_of(source.path)]).to_read

    assert ingest(session, [source], FOOTAGE)[0].code == error.code
    assert to_read() == ()
    with monkeypatch.context() as later:
        later.setattr(app.library.examined, "RETRY_S", 0.0)
        assert to_read() == (source,)
    time.sleep(0.1)  # the clock of file times is some milliseconds behind: else the failure may look later
    os.utime(source.path)
    assert to_read() == (source,)


def test_a_file_that_is_gone_before_it_is_read_is_no_failure(session: Session, root: Path) -> None:
    """A watch, or a directory, listed it; a file that a person names is one."""
    for listed, state, failures in ((True, "changing", 0), (False, "failed", 1)):
        source = Source(root / "gone.mp4", "gone.mp4", listed=listed)
        assert [outcome.state for outcome in ingest(session, [source], FOOTAGE)] == [state]
        assert session.library.catalogue.count_failures() == failures


def test_each_look_listens_anew_and_nothing_listens_while_files_are_read(
    session: Session, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events do not pile up, and a disk that was mounted meanwhile tells what happens on it."""
    listening: list[int] = []

    class Notify:
        def __init__(self, *_: object) -> None:
            listening.append(1)

        def close(self) -> None:
            listening[-1] = 0

    monkeypatch.setattr(app.library.watch, "RustNotify", Notify)
    film(root / "a.mp4", 0, 0, 1.0)
    watch = Watch(session.library, [root], lambda path: list_files([path]), attrgetter("path"), 0.0)
    assert watch.look() == []
    assert listening == [1]
    (find,) = watch.look()
    assert listening == [0, 0]
    watch.hand_over(find)
    assert watch.look() == []
    assert listening == [0, 0, 1]
    watch.close()


def test_the_guard_counts_to_the_beginning_of_the_reading(
    session: Session, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may be written to within the same tick while a long reading of it lasts."""
    monkeypatch.setattr(app.library.examined, "COARSEST_CLOCK_NS", 2 * 10**9)
    source = Source(film(root / "a.mp4", 0, 0, 1.0), "a.mp4")
    now_ns = os.stat(source.path).st_ctime_ns + 10**9
    monkeypatch.setattr(app.library.examined, "time", SimpleNamespace(time_ns=lambda: now_ns))

    def slow(front_end: object, path: Path, *rest: object) -> Facts:
        nonlocal now_ns
        now_ns += 10**10
        return inspect(front_end, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(app.library.reading, "inspect", slow)
    for still_to_read in ((source,), ()):
        ingest(session, [source], FOOTAGE)
        assert sort_out(session.library, [source]).to_read == still_to_read


def test_a_file_written_just_before_it_was_read_is_read_again(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a coarse clock it may have been written to since, without a later time."""
    monkeypatch.setattr(app.library.examined, "COARSEST_CLOCK_NS", 10**12)
    source = Source(film(root / "a.mp4", 0, 0, 1.0), "a.mp4")
    with Session.open(tmp_path / "library", torch.device("cpu"), default="raw") as session:
        ingest(session, [source], FOOTAGE)
        assert sort_out(session.library, [source]).to_read == (source,)
        monkeypatch.setattr(app.library.examined, "COARSEST_CLOCK_NS", 0)
        ingest(session, [source], FOOTAGE)
        assert sort_out(session.library, [source]).to_read == ()
        mark_gone(session.library, [root])
        assert stamp_of(root / "gone.mp4") is None
