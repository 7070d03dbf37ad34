"""echolens dataset: each layout becomes a library or an archive, and what is wrong with it is told."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest
from dataset_samples import GONE, LAYOUTS, ONE, TWO, Clips, film_clips
from service_samples import Command

from app.datasets.names import NAMES, DatasetName
from index.library import Library
from model.data.archive import load_archive

MEDIUM, PARTLY, OTHER = 3, 5, 6
LABELS: dict[DatasetName, set[str | None]] = {
    "ave": {"Church bell", "Male speech, man speaking"},
    "vggsound": {"dog, barking", "playing harp"},
    "audioset": {"Speech", "Music, any"},
    "vegas": {"baby_cry", "dog"},
    "voxceleb": {"id10001", "id10002"},
    "music": {"flute", "cello violin"},
    "greatest-hits": {"wood", "cloth"},
    "folder": {"dog", "cat"},
    "jsonl": {"dog", None},
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return film_clips(tmp_path_factory.mktemp("clips"))


@pytest.mark.parametrize("name", NAMES)
def test_each_layout_becomes_a_library(name: DatasetName, clips: Clips, echolens: Command, tmp_path: Path) -> None:
    """Media that are there are in, with their class as label; the missing one is named, and the exit code says so."""
    data, library = tmp_path / "data", tmp_path / "library"
    data.mkdir()
    LAYOUTS[name](data, clips)
    ran = echolens("dataset", name, data, "--library", library, "--frontend", "raw", "--json")
    answer = json.loads(ran.out)
    assert ran.code == (0 if name == "vegas" else PARTLY), ran.err
    assert (answer["added"], answer["failed"], answer["faults"]) == (2, [], [])
    assert len(answer["missing"]) == (name != "vegas")
    with Library.open(library, create=False) as opened:
        assert {video.label for video in opened.catalogue.every_video()} == LABELS[name]


def test_a_data_set_becomes_an_archive(clips: Clips, echolens: Command, tmp_path: Path) -> None:
    """Its split, classes and ids are those of the lists; the size is said before, and no library is made."""
    LAYOUTS["ave"](tmp_path, clips)
    out, library = tmp_path / "out.npz", tmp_path / "library"
    options = ("--frontend", "raw", "--seconds", "2", "--library", library)
    ran = echolens("dataset", "ave", tmp_path, "--archive", out, *options)
    assert ran.code == PARTLY, ran.err
    assert f"missing: 1 (such as {GONE})" in ran.err
    assert "Features of 2 items: 0.1 MB" in ran.err
    assert "another split" in ran.err
    assert "Items added: 2, already in: 0, failed: 0." in ran.out
    archive = load_archive(out)
    assert archive.video_id == (ONE, TWO)
    assert archive.split.tolist() == ["train", "val"]
    assert archive.event.tolist() == [[True, True], [False, True]]
    assert not library.exists()


def test_an_archive_of_lists_without_a_split_has_a_drawn_one(clips: Clips, echolens: Command, tmp_path: Path) -> None:
    """So that it can be trained on; it is told."""
    LAYOUTS["vegas"](tmp_path, clips)
    out = tmp_path / "out.npz"
    ran = echolens("dataset", "vegas", tmp_path, "--archive", out, "--frontend", "raw", "--json")
    answer = json.loads(ran.out)
    assert (ran.code, answer["added"]) == (0, 2)
    assert "drawn" in answer["remarks"][0]
    splits = load_archive(out).split.tolist()
    assert set(splits) <= {"train", "val", "test"}
    assert answer["splits"] == {split: splits.count(split) for split in splits}


def test_a_split_and_a_limit_take_a_part(clips: Clips, echolens: Command, tmp_path: Path) -> None:
    """What is of another split is neither taken nor missed; behind the limit nothing is read."""
    LAYOUTS["ave"](tmp_path, clips)
    command = ("dataset", "ave", tmp_path, "--frontend", "raw", "--archive", tmp_path / "out.npz", "--json")
    ran = echolens(*command, "--split", "train")
    assert (ran.code, json.loads(ran.out)["splits"]) == (0, {"train": 1})
    ran = echolens(*command, "--limit", "1")
    assert (ran.code, json.loads(ran.out)["added"]) == (0, 1)
    assert load_archive(tmp_path / "out.npz").video_id == (ONE,)


def test_data_sets_in_wrong_states_are_named_item_by_item(clips: Clips, echolens: Command, tmp_path: Path) -> None:
    """Missing files, wrong columns, an HDF5 file that was cut off, a broken medium: each is told, the rest is taken."""
    states = {}
    for state in ("missing", "columns", "hdf5", "medium"):
        data = tmp_path / state
        data.mkdir()
        LAYOUTS["ave"](data, clips)
        annotations, cut, medium = data / "Annotations.txt", data / "test_order.h5", data / "AVE" / f"{TWO}.mp4"
        if state == "missing":
            medium.unlink()
        elif state == "columns":
            annotations.write_text(annotations.read_text() + f"\nBell&{ONE}&good\nBell&{ONE}&good&0&soon")
        elif state == "hdf5":
            cut.write_bytes(cut.read_bytes()[:900])
            with pytest.raises(OSError, match="truncated"):
                h5py.File(cut)
        else:
            medium.unlink()
            medium.write_bytes(clips.two.read_bytes()[:900])
        ran = echolens("dataset", "ave", data, "--library", tmp_path / f"{state}.lib", "--frontend", "raw", "--json")
        assert ran.code == PARTLY, ran.err
        answer = json.loads(ran.out)
        named = [fault["name"] for fault in answer["missing"] + answer["faults"]]
        states[state] = answer["added"], named, [Path(outcome["path"]).name for outcome in answer["failed"]]
        for fault in answer["faults"]:
            assert fault["name"] in ran.err
    assert states == {
        "missing": (1, [TWO, GONE], []),
        "columns": (2, [GONE, "Annotations.txt, line 5", "Annotations.txt, line 6"], []),
        "hdf5": (2, [GONE, "test_order.h5"], []),
        "medium": (1, [GONE], [f"{TWO}.mp4"]),
    }


def test_a_data_set_of_which_nothing_can_be_read_is_refused(echolens: Command, tmp_path: Path) -> None:
    """The message names the layout that is expected, or that no medium can be read; no library and no file is made."""
    data, library, out = tmp_path / "data", tmp_path / "library", tmp_path / "out.npz"
    data.mkdir()
    for name in ("vggsound", "vegas"):
        ran = echolens("dataset", name, data, "--library", library)
        assert ran.code == OTHER
        assert "expects" in ran.err
    (data / "a.jsonl").write_text('{"path": "broken.mp4"}')
    (data / "broken.mp4").write_text("broken")
    ran = echolens("dataset", "jsonl", data, "--archive", out, "--library", library, "--frontend", "raw")
    assert (ran.code, "no medium of" in ran.err) == (OTHER, True)
    assert not out.exists()
    assert not library.exists()
    ran = echolens("dataset", "jsonl", data, "--library", library, "--frontend", "raw")
    assert (ran.code, "not_a_medium" in ran.err) == (MEDIUM, True)
