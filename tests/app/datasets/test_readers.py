"""What the lists of each data set yield, as they are published and with mistakes in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import pytest
from dataset_samples import GONE, LAYOUTS, ONE, TWO, Clips

from app.datasets.item import Entry, Fault, Item, Remark
from app.datasets.names import NAMES, DatasetName
from app.datasets.registry import DATASETS
from model.errors import DatasetError

# name, labels, part, split
EXPECTED: dict[DatasetName, list[tuple[str, tuple[str, ...], tuple[float, float] | None, str]]] = {
    "ave": [(ONE, ("Church bell",), (0, 2), "train"), (TWO, ("Male speech, man speaking",), (1, 2), "val")],
    "vggsound": [
        (f"{ONE}_000030", ("dog, barking",), None, "train"),
        (f"{TWO}_000001", ("playing harp",), (1, 11), "test"),
    ],
    "audioset": [(f"{ONE}_30", ("Speech", "Gush"), None, "train"), (f"{TWO}_1", ("Music, any",), (1, 2), "test")],
    "vegas": [("baby_cry/video_00000", ("baby_cry",), None, ""), ("dog/video_00003", ("dog",), None, "")],
    "voxceleb": [
        (f"id10001/{ONE}/00001", ("id10001",), None, "train"),
        (f"id10002/{TWO}/00012", ("id10002",), None, "test"),
    ],
    "music": [(TWO, ("cello violin",), None, ""), (ONE, ("flute",), None, "")],
    "greatest-hits": [("2015-01", ("wood", "metal"), None, "train"), ("2015-02", ("cloth",), None, "")],
    "folder": [
        ("notes.nfo", (), None, ""),
        ("one.mp4", ("dog",), (0, 1), "train"),
        ("sub/two.mp4", ("cat",), None, ""),
    ],
    "jsonl": [("one.mp4", ("dog", "bark"), (0, 1.5), "val"), ("sub/two.mp4", (), None, "")],
}
MISSING: dict[DatasetName, str] = {
    "ave": GONE,
    "vggsound": f"{GONE}_000007",
    "audioset": f"{GONE}_0",
    "voxceleb": f"id10002/{GONE}/00001",
    "music": GONE,
    "greatest-hits": "2015-03",
    "folder": "gone.mp4",
    "jsonl": "gone.mp4",
}


def read(name: DatasetName, directory: Path) -> list[Entry]:
    return list(DATASETS[name].entries(directory))


def items(entries: list[Entry]) -> list[Item]:
    return [entry for entry in entries if isinstance(entry, Item)]


def faults(entries: list[Entry], code: str = "bad_row") -> list[str]:
    return [entry.name for entry in entries if isinstance(entry, Fault) and entry.code == code]


def remarks(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries if isinstance(entry, Remark)]


@pytest.mark.parametrize("name", NAMES)
def test_a_published_layout_is_read(name: DatasetName, clips: Clips, tmp_path: Path) -> None:
    """Each medium that is there has its labels, its part and its split; what is listed and not there is named."""
    LAYOUTS[name](tmp_path, clips)
    entries = read(name, tmp_path)
    found = [
        (item.name, item.labels, None if item.start_s is None else (item.start_s, item.end_s), item.split)
        for item in items(entries)
    ]
    assert found == EXPECTED[name]
    assert all(item.path.is_file() for item in items(entries))
    assert faults(entries, "missing_file") == ([MISSING[name]] if name in MISSING else [])
    assert faults(entries) == faults(entries, "bad_list") == []


@pytest.mark.parametrize("name", ["ave", "vggsound", "audioset", "music", "jsonl"])
def test_a_directory_without_the_list_is_refused(name: DatasetName, tmp_path: Path) -> None:
    """The error says which layout is expected."""
    with pytest.raises(DatasetError, match=re.escape(f"{name} expects {DATASETS[name].layout}")):
        read(name, tmp_path)


@pytest.mark.parametrize("name", ["vegas", "voxceleb", "greatest-hits", "folder"])
def test_a_directory_of_something_else_has_no_items(name: DatasetName, tmp_path: Path) -> None:
    """Where a data set needs no list, nothing is found."""
    (tmp_path / ".hidden").write_text("# Something else")
    assert items(read(name, tmp_path)) == []


def test_ave_says_which_splits_it_uses_and_where_the_others_differ(clips: Clips, tmp_path: Path) -> None:
    """The text lists count; the second row is for validation by them, and for training by its number."""
    LAYOUTS["ave"](tmp_path, clips)
    used, unlike = remarks(read("ave", tmp_path))
    assert used == "the splits are those of trainSet.txt valSet.txt testSet.txt"
    assert unlike.startswith("1 of 3 rows have another split by")
    assert unlike.endswith("Annotations.txt, line 3: val, train by its number")
    for name in ("trainSet.txt", "valSet.txt", "testSet.txt"):
        (tmp_path / name).unlink()
    entries = read("ave", tmp_path)
    assert [item.split for item in items(entries)] == ["train", "train"]
    assert remarks(entries) == ["the splits are those of train_order.h5 val_order.h5 test_order.h5"]


def test_an_ave_split_file_that_was_cut_off_is_named(clips: Clips, tmp_path: Path) -> None:
    """Its rows have no split; the others, and all media, are taken."""
    LAYOUTS["ave"](tmp_path, clips)
    for name in ("trainSet.txt", "valSet.txt", "testSet.txt"):
        (tmp_path / name).unlink()
    for name, order in (("train", [0]), ("val", [1])):
        with h5py.File(tmp_path / f"{name}_order.h5", "w") as file:
            file["order"] = order
    cut = tmp_path / "train_order.h5"
    cut.write_bytes(cut.read_bytes()[:-900])
    entries = read("ave", tmp_path)
    assert faults(entries, "bad_list") == ["train_order.h5"]
    assert [item.split for item in items(entries)] == ["", "val"]


BIG = "9" * 400  # no float
BAD_ROWS: dict[DatasetName, tuple[str, list[str]]] = {
    "ave": (
        "Annotations.txt",
        [f"Bell&{ONE}&good&0", f"Bell&{ONE}&good&a&b", f"Bell&{ONE}&good&0&0", f"Bell&{ONE}&good&nan&1"],
    ),
    "vggsound": (
        "vggsound.csv",
        ["a,30,dog", "a,x,dog,train", "a,-4,dog,train", "a,3,dog,val", f"a,{BIG},dog,test"],
    ),
    "audioset": (
        "eval_segments.csv",
        [f"{TWO}, 1.0, 2.0", f'{TWO}, 2.0, 1.0, "/m/1"', f"{TWO}, inf, 9, a", f'{TWO},1,2,""'],
    ),
    "voxceleb": ("iden_split.txt", [f"4 id10001/{ONE}/00001.wav", "1 id10001.wav", "1", "1 id1/../00001.wav"]),
    "jsonl": (
        "set.jsonl",
        [
            *("{", "[1]", '{"label": "dog"}', '{"path": "one.mp4", "label": 7}'),
            *('{"path": "one.mp4", "start_s": 1}', '{"path": "one.mp4", "split": "dev"}'),
            '{"path": "one.mp4", "start_s": "a", "end_s": 2}',
            f'{{"path": "one.mp4", "start_s": 0, "end_s": {BIG}}}',
        ],
    ),
    "greatest-hits": ("2015-02_times.txt", ["0.5", "soon wood hit", "-1 wood hit"]),
    "folder": ("labels.csv", ["one.mp4,dog,3,1,", "one.mp4,dog,,,dev", ",dog,,,", "sub/two.mp4,owl,,,"]),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_every_bad_row_is_named_and_the_rest_is_taken(name: DatasetName, clips: Clips, tmp_path: Path) -> None:
    """Rows with wrong columns, times or splits are named by list and line; the items are those of the good rows."""
    LAYOUTS[name](tmp_path, clips)
    before = items(read(name, tmp_path))
    path, rows = tmp_path / BAD_ROWS[name][0], BAD_ROWS[name][1]
    text = path.read_text().rstrip("\n")
    path.write_text("\n".join((text, *rows)))
    entries = read(name, tmp_path)
    lines = len(text.split("\n"))
    assert faults(entries) == [f"{path.name}, line {lines + number}" for number in range(1, len(rows) + 1)]
    assert items(entries) == before


def test_music_lists_with_mistakes_are_named(clips: Clips, tmp_path: Path) -> None:
    """A list that is no JSON, a class that is no list, an id that is no text."""
    LAYOUTS["music"](tmp_path, clips)
    (tmp_path / "MUSIC21_solo_videos.json").write_text("{")
    broken = {"videos": {"cello violin": [TWO, 7], "tuba": "x"}}
    (tmp_path / "MUSIC_duet_videos.json").write_text(json.dumps(broken))
    entries = read("music", tmp_path)
    assert faults(entries, "bad_list") == ["MUSIC21_solo_videos.json"]
    assert faults(entries) == ["MUSIC_duet_videos.json, cello violin", "MUSIC_duet_videos.json, tuba"]
    assert [item.name for item in items(entries)] == [TWO, ONE]


def test_a_name_cannot_lead_out_of_the_data_set(clips: Clips, tmp_path: Path) -> None:
    """An id with steps upward, or an absolute one, names nothing."""
    clips.put(tmp_path / "secret.mp4", tmp_path / "set" / "video" / "b.mp4")
    rows = ("../secret,30,dog,train", f"{tmp_path}/secret,30,dog,train", "b\0,30,dog,train")
    (tmp_path / "set" / "vggsound.csv").write_text("\n".join(rows))
    entries = read("vggsound", tmp_path / "set")
    assert items(entries) == []
    assert len(faults(entries, "missing_file")) == len(rows)


def test_voxceleb2_has_no_list(clips: Clips, tmp_path: Path) -> None:
    """Its utterances are found in dev/ and test/; an utterance that is there as film and as sound is one item."""
    clips.put(tmp_path / "dev/aac/id00012/21Uxsk56VDQ/00001.m4a", tmp_path / "test/mp4/id00017/x/00002.mp4")
    clips.put(tmp_path / "dev/aac/id00012/21Uxsk56VDQ/00001.mp4", tmp_path / "dev/aac/notes/x/readme.mp4")
    found = items(read("voxceleb", tmp_path))
    assert [(item.name, item.labels, item.split, item.path.suffix) for item in found] == [
        ("id00012/21Uxsk56VDQ/00001", ("id00012",), "train", ".mp4"),
        ("id00017/x/00002", ("id00017",), "test", ".mp4"),
    ]


def test_audioset_without_names_has_ids_as_labels(clips: Clips, tmp_path: Path) -> None:
    """And it is told."""
    LAYOUTS["audioset"](tmp_path, clips)
    (tmp_path / "class_labels_indices.csv").unlink()
    entries = read("audioset", tmp_path)
    assert [item.labels for item in items(entries)] == [("/m/09x0r", "/t/dd00088"), ("/m/04rlf",)]
    assert "class_labels_indices.csv" in remarks(entries)[0]
