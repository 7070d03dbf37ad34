"""Ingest: every file in one transaction, stopped and resumed, a bad one skipped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from media_samples import tone, write_picture, write_sound, write_video
from service_samples import Command, ingest_into

from app.library.features import corpus_of, features_of
from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from app.media.previews import original_of
from index.library import Library
from model.data.corpus import Annotation
from model.errors import NotFound
from model.media.medium import Limits

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")


def sources(paths: list[Path]) -> list[Source]:
    return [Source(path, path.name) for path in paths]


def sounds(directory: Path, count: int) -> list[Path]:
    return [write_sound(directory / f"{n:02d}.wav", tone(2.0, 16000, 200.0 + 40 * n), 16000) for n in range(count)]


def assert_whole(library: Library) -> None:
    """Every video in the catalogue has all its seconds, and each second the latents that it is said to have."""
    catalogue = library.catalogue
    for video in catalogue.every_video():
        rows = catalogue.segments_of(video.video_id)
        assert len(rows) == round(video.duration_s)
        for modality, mask in (("audio", [r.heard for r in rows]), ("visual", [r.seen for r in rows])):
            table = catalogue.latents_of(video.video_id, modality)  # type: ignore[arg-type]
            assert table.ids.tolist() == [r.segment_id for r, there in zip(rows, mask, strict=True) if there]


def test_a_bad_file_is_recorded_and_skipped(tmp_path: Path, footage: list[Path]) -> None:
    """Between two good files an empty one, a text, a silent one and an absent one: all but those come in."""
    empty, text, silent = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "silent.wav"
    empty.touch()
    text.write_text("no film " * 100)
    write_sound(silent, np.zeros(32_000, np.float32), 16000)
    files = [footage[0], empty, text, tmp_path / "absent.mp4", silent, footage[1]]
    outcomes = ingest_into(tmp_path / "library", sources(files))
    assert [(o.state, o.code) for o in outcomes] == [
        ("added", None),
        ("failed", "empty_file"),
        ("failed", "not_a_medium"),
        ("failed", "not_a_medium"),
        ("added", None),
        ("added", None),
    ]
    with Library.open(tmp_path / "library", create=False) as library:
        assert [f.path for f in library.catalogue.failures()] == [str(f) for f in files[1:4]]
        assert library.catalogue.stats().audio_latents == 10, "silence is footage without audio latents"
        assert_whole(library)


def test_a_failure_is_forgotten_once_the_file_is_good(tmp_path: Path, footage: list[Path]) -> None:
    """A broken copy that was replaced comes in at the next run, and stats list it no more."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(footage[0].read_bytes()[:5000])
    assert ingest_into(tmp_path / "library", sources([clip]))[0].state == "failed"
    clip.write_bytes(footage[0].read_bytes())
    assert ingest_into(tmp_path / "library", sources([clip]))[0].state == "added"
    with Library.open(tmp_path / "library", create=False) as library:
        assert library.catalogue.failures() == []


def test_a_second_run_finds_everything_known(tmp_path: Path) -> None:
    """The same files, moved or renamed, are known by content; nothing is decoded into the library twice."""
    files = sounds(tmp_path, 3)
    first = ingest_into(tmp_path / "library", sources(files))
    moved = [Path(shutil.copy(f, tmp_path / f"copy-{f.name}")) for f in files]
    second = ingest_into(tmp_path / "library", sources(files + moved))
    assert [o.state for o in second] == ["known"] * 6
    assert [o.video_id for o in second] == [o.video_id for o in first] * 2


def test_copies_among_the_files_come_in_once(tmp_path: Path, footage: list[Path]) -> None:
    """Eight copies that are decoded side by side: one is added, the others are known, no thread trips."""
    copies = [Path(shutil.copy(footage[0], tmp_path / f"{n}.mp4")) for n in range(8)]
    outcomes = ingest_into(tmp_path / "library", sources(copies))
    assert [o.state for o in outcomes] == ["added"] + ["known"] * 7
    assert len({o.video_id for o in outcomes}) == 1
    with Library.open(tmp_path / "library", create=False) as library:
        assert library.catalogue.stats().videos == 1
        assert_whole(library)
        assert not list(library.directory.rglob("*.partial"))


def test_outcomes_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    """However long each takes to decode; `done` hears of each as it is on the disk."""
    files = [write_video(tmp_path / "long.mp4", 6.0), *sounds(tmp_path, 6)]
    heard: list[int] = []

    with Session.open(tmp_path / "library", CPU, "raw") as session:

        def done(outcome: Outcome) -> None:
            heard.append(session.library.catalogue.stats().videos)

        outcomes = ingest(session, sources(files), Limits(), done)
    assert [o.path for o in outcomes] == files
    assert heard == list(range(1, 8))


def test_one_decoder_gives_what_four_give(tmp_path: Path, footage: list[Path]) -> None:
    """Threads change nothing of the features, to the last bit."""
    found = []
    for decoders in (1, 4):
        with Session.open(tmp_path / f"library-{decoders}", CPU, "raw") as session:
            ingest(session, sources(footage[:4]), Limits(), decoders=decoders)
            found.append([features_of(session, v) for v in session.library.catalogue.every_video()])
    for one, four in zip(*found, strict=True):
        assert one.audio.tobytes() == four.audio.tobytes()
        assert one.visual.tobytes() == four.visual.tobytes()


def test_a_name_that_is_no_text_is_no_obstacle(tmp_path: Path) -> None:
    """A file name in Latin-1 is told as a failure of that file; the others come in."""
    good = sounds(tmp_path, 2)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    shutil.copy(write_picture(tmp_path / "p.png"), odd)
    outcomes = ingest_into(tmp_path / "library", sources([good[0], odd, good[1]]))
    assert [o.state for o in outcomes] == ["added", "failed", "added"]
    assert "rename" in str(outcomes[1].detail)
    with Library.open(tmp_path / "library", create=False) as library:
        (failure,) = library.catalogue.failures()
        assert "caf" in failure.path


CHILD = """
import sys
from pathlib import Path
import torch
from app.library.ingest import Source, ingest
from app.library.session import Session
from model.media.medium import Limits

directory, *files = map(Path, sys.argv[1:])
count = 0
def done(outcome):
    global count
    count += 1
    if count == 3:
        print("three", flush=True)
        sys.stdin.read()  # until killed: files ahead are decoded by now, and not yet in the catalogue
with Session.open(directory, torch.device("cpu"), "raw") as session:
    ingest(session, [Source(f, f.name) for f in files], Limits(), done)
"""


def test_a_killed_ingest_leaves_whole_videos_and_goes_on(tmp_path: Path, echolens: Command) -> None:
    """kill -9 after three of eight: those three are there and whole, and the next run adds the other five."""
    (tmp_path / "footage").mkdir()
    files, library = sounds(tmp_path / "footage", 8), tmp_path / "library"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(library), *map(str, files)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "three\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    with Library.open(library, create=False) as opened:
        assert [v.file_name for v in opened.catalogue.every_video()] == [f.name for f in files[:3]]
        assert_whole(opened)
    ran = echolens("ingest", tmp_path / "footage", "--library", library, "--json")
    assert ran.code == 0
    with Library.open(library, create=False) as opened:
        assert [v.file_name for v in opened.catalogue.every_video()] == [f.name for f in files]
        assert_whole(opened)


def test_memory_does_not_grow_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources are drawn as they are needed: a few ahead of the one that is written, never the whole list."""
    files, drawn = sounds(tmp_path, 20), []
    with Session.open(tmp_path / "library", CPU, "raw") as session:

        def draw() -> object:
            for source in sources(files):
                drawn.append(source)
                yield source

        ahead: list[int] = []
        ingest(session, draw(), Limits(), lambda _: ahead.append(len(drawn)))  # type: ignore[arg-type]
    assert max(seen - number for number, seen in enumerate(ahead)) <= 8


def test_labels_reach_footage_that_is_known(tmp_path: Path, footage: list[Path]) -> None:
    """Footage that came without a label gets the one that a later ingest brings, and keeps it without one."""
    library = tmp_path / "library"
    ingest_into(library, sources(footage[:1]))
    labelled = Source(footage[0], footage[0].name, Annotation("", "bell", 1.0, 3.0))
    for again in (labelled, sources(footage[:1])[0]):
        (outcome,) = ingest_into(library, [again])
        assert outcome.state == "known"
        with Library.open(library, create=False) as opened:
            (video,) = opened.catalogue.every_video()
        assert (video.label, video.event_start_s, video.event_end_s) == ("bell", 1.0, 3.0)


def test_footage_that_moved_is_found_again(tmp_path: Path) -> None:
    """A file that was ingested in place, moved and ingested anew is known, and its original is there again."""
    (first,) = sounds(tmp_path, 1)
    ingest_into(tmp_path / "library", sources([first]))
    moved = first.rename(tmp_path / "moved.wav")
    (outcome,) = ingest_into(tmp_path / "library", sources([moved]))
    assert (outcome.state, outcome.note) == ("known", "it had moved: found again")
    with Library.open(tmp_path / "library", create=False) as library:
        assert original_of(library, str(outcome.video_id)) == moved


def test_what_a_file_lacks_is_told(tmp_path: Path) -> None:
    """A silent sound, a sound and a film without sound are each told apart."""
    silent = write_sound(tmp_path / "silent.wav", np.zeros(32_000, np.float32), 16000)
    (heard,) = sounds(tmp_path, 1)
    film = write_video(tmp_path / "film.mp4", 2.0, sound=False)
    notes = [o.note for o in ingest_into(tmp_path / "library", sources([silent, heard, film]))]
    assert notes == [
        "it is silent",
        "no picture: only its sound can be found",
        "no sound track: only its picture can be found",
    ]


def test_a_replaced_original_is_not_taken_for_what_was_ingested(tmp_path: Path) -> None:
    """With the cache gone and other content at its path, a video's features are refused, not made from that."""
    first, other = sounds(tmp_path, 2)
    ingest_into(tmp_path / "library", sources([first]))
    other.replace(first)
    with Session.open(tmp_path / "library", CPU, create=False) as session:
        (video,) = session.library.catalogue.every_video()
        session.library.features_path(video.sha256, session.front_end.identity).unlink()
        with pytest.raises(NotFound, match="replaced"):
            features_of(session, video)


def test_a_spoilt_cache_is_made_again(tmp_path: Path) -> None:
    """Features that a power failure cut off are computed anew, to the same bits."""
    files = sounds(tmp_path, 1)
    ingest_into(tmp_path / "library", sources(files))
    with Session.open(tmp_path / "library", CPU, create=False) as session:
        (video,) = session.library.catalogue.every_video()
        cached = session.library.features_path(video.sha256, session.front_end.identity)
        whole = features_of(session, video)
        for content in (b"", cached.read_bytes()[:100]):
            cached.write_bytes(content)
            np.testing.assert_array_equal(features_of(session, video).audio, whole.audio)


def test_footage_that_is_gone_is_left_out_of_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A video whose file and features are both gone is named in a warning; the others are taken."""
    files = sounds(tmp_path, 3)
    ingest_into(tmp_path / "library", sources(files))
    with Session.open(tmp_path / "library", CPU, create=False) as session:
        video = next(session.library.catalogue.every_video())
        session.library.features_path(video.sha256, session.front_end.identity).unlink()
        files[0].unlink()
        assert len(corpus_of(session)) == 2
    assert files[0].name in caplog.text
