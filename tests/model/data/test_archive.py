"""Both layouts of feature archives, and every way in which one can be broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from corpus_samples import write_ave

from model.data.archive import load_archive, parse_ave_annotations
from model.errors import ArchiveError

Arrays = dict[str, np.ndarray]


def arrays(videos: int = 4, seconds: int = 5) -> Arrays:
    """Return the arrays of a small archive, in dtypes that are not the ones used inside."""
    random = np.random.default_rng(0)
    return {
        "audio": random.integers(0, 255, (videos, seconds, 3)).astype(np.uint8),
        "visual": random.random((videos, seconds, 6)).astype(np.float16),
        "label": np.arange(videos, dtype=np.int16) % 2,
        "event": np.tile([False, True, True, False, False], (videos, 1)),
        "split": np.array(["train", "test", "train", "val"]),
        "video_id": np.array(["-a", "b,c", "-a", "d"]),
        "classes": np.array(["Bark", "Truck, heavy"]),
    }


def write_npz(path: Path, content: Arrays) -> Path:
    np.savez(path, **content)
    return path


def test_an_npz_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Numbers of any real dtype arrive as float32 of the same value; names and masks are untouched."""
    content = arrays()
    archive = load_archive(write_npz(tmp_path / "a.npz", content))
    assert archive.audio.dtype == archive.visual.dtype == np.float32
    np.testing.assert_array_equal(archive.audio, content["audio"].astype(float))
    np.testing.assert_array_equal(archive.visual, content["visual"].astype(float))
    np.testing.assert_array_equal(archive.label, content["label"])
    np.testing.assert_array_equal(archive.event, content["event"])
    assert archive.video_id == ("-a", "b,c", "-a", "d")
    assert archive.classes == ("Bark", "Truck, heavy")
    assert archive.identity == "archive-3-6"


def test_a_split_is_a_corpus_of_its_videos_alone(tmp_path: Path) -> None:
    """Video k's second s is row k * T + s; two videos of one id stay two."""
    content = arrays()
    corpus = load_archive(write_npz(tmp_path / "a.npz", content)).corpus("train")
    assert corpus.video_ids == ("-a", "-a")
    assert len(corpus) == 2
    np.testing.assert_array_equal(corpus.audio[7], content["audio"][2, 2].astype(float))
    np.testing.assert_array_equal(corpus.visual[3], content["visual"][0, 3].astype(float))
    np.testing.assert_array_equal(corpus.video, [0] * 5 + [1] * 5)
    np.testing.assert_array_equal(corpus.start_s, list(range(5)) * 2)
    np.testing.assert_array_equal(corpus.event, [0, 1, 1, 0, 0] * 2)
    np.testing.assert_array_equal(corpus.label, [0, 0])
    assert corpus.paired.all()


def test_videos_may_be_short_silent_and_unlabelled(tmp_path: Path) -> None:
    """Seconds of neither sound nor picture are no seconds; masks say what the others have; -1 is no label."""
    content = arrays() | {"label": np.array([-1, 0, 1, 0])}
    content["heard"] = np.array([[1, 1, 0, 0, 0]] * 4)
    content["seen"] = np.array([[0, 1, 1, 0, 0]] * 4)
    corpus = load_archive(write_npz(tmp_path / "a.npz", content)).corpus("train")
    np.testing.assert_array_equal(corpus.start_s, [0, 1, 2] * 2)
    np.testing.assert_array_equal(corpus.video, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(corpus.heard, [1, 1, 0] * 2)
    np.testing.assert_array_equal(corpus.seen, [0, 1, 1] * 2)
    np.testing.assert_array_equal(corpus.event, [0, 1, 1] * 2)
    np.testing.assert_array_equal(corpus.audio[4], content["audio"][2, 1].astype(float))
    np.testing.assert_array_equal(corpus.label, [-1, 1])


def test_the_hash_of_an_archive_is_that_of_its_bytes(tmp_path: Path) -> None:
    """One feature, or one split file, changed gives another hash; the same content gives the same."""
    one, same = (write_npz(tmp_path / f"{n}.npz", arrays()) for n in "ab")
    changed = arrays()
    changed["audio"][0, 0, 0] ^= 1
    assert load_archive(one).sha256 == load_archive(same).sha256
    assert load_archive(one).sha256 != load_archive(write_npz(tmp_path / "c.npz", changed)).sha256
    directory = write_ave(tmp_path / "ave")
    before = load_archive(directory).sha256
    with h5py.File(directory / "val_order.h5", "w") as file:
        file["order"] = [1]
    assert load_archive(directory).sha256 != before


def test_ave_files_are_joined_by_row(tmp_path: Path) -> None:
    """Annotated rows key the features; events are end-exclusive; classes are sorted; orders make splits."""
    archive = load_archive(write_ave(tmp_path / "ave"))
    assert archive.classes == ("A", "B")
    assert archive.label.tolist() == [1, 0, 1]
    assert archive.video_id == ("-x", "y", "-x")
    assert archive.split.tolist() == ["val", "test", "train"]
    assert [np.flatnonzero(e).tolist() for e in archive.event] == [list(range(10)), [3, 4], [8, 9]]
    np.testing.assert_array_equal(archive.corpus("test").audio, np.arange(40, 80).reshape(10, 4))


def test_a_visual_grid_is_averaged(tmp_path: Path) -> None:
    """(N, T, 7, 7, D) becomes (N, T, D) by the mean over the 49 places."""
    grid = np.random.default_rng(0).random((3, 10, 7, 7, 5)).astype(np.float32)
    archive = load_archive(write_ave(tmp_path / "ave", visual=grid))
    expected = sum(grid[:, :, i, j].astype(float) for i in range(7) for j in range(7)) / 49
    np.testing.assert_allclose(archive.visual, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["audio_feature.h5", "visual_feature.h5"])
@pytest.mark.parametrize("lost_bytes", [1, 8 * 10 * 4])
def test_of_cut_off_features_the_whole_videos_are_taken(
    tmp_path: Path, name: str, lost_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A video of which a byte is lost is left out with those behind it, and named; the others are as they were."""
    directory = write_ave(tmp_path / "ave")
    before = load_archive(directory)
    whole = (directory / name).read_bytes()
    (directory / name).write_bytes(whole[:-lost_bytes])
    assert caplog.messages == []
    archive = load_archive(directory)
    assert archive.video_id == ("-x", "y") == before.video_id[: len(archive.video_id)]
    assert archive.split.tolist() == ["val", "test"]
    np.testing.assert_array_equal(archive.audio, before.audio[:2])
    np.testing.assert_array_equal(archive.visual, before.visual[:2])
    path = directory / name
    assert caplog.messages == [f"{path} was cut off: the videos from row 3 (-x) to 3 are left out; copy it again"]
    load_archive(directory)
    assert len(caplog.messages) == 1, "it is told once"


def test_where_both_features_are_cut_off_the_shorter_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each file is named with what it lost."""
    directory = write_ave(tmp_path / "ave")
    for name, lost_bytes in (("audio_feature.h5", 1), ("visual_feature.h5", 8 * 10 * 5 * 2)):
        (directory / name).write_bytes((directory / name).read_bytes()[:-lost_bytes])
    archive = load_archive(directory)
    assert archive.video_id == ("-x",)
    assert ["row 3" in m or "row 2" in m for m in caplog.messages] == [True, True]


def test_a_split_whose_order_is_cut_off_is_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other splits are there; the file is named."""
    directory = write_ave(tmp_path / "ave")
    path = directory / "test_order.h5"
    path.write_bytes(path.read_bytes()[:-1])
    archive = load_archive(directory)
    assert archive.split.tolist() == ["val", "", "train"]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{path} cannot be read, so no video is in test")


def test_cut_off_features_in_pieces_are_refused(tmp_path: Path) -> None:
    """Which rows of chunks, or of compressed numbers, are whole is not known; nor is there a row in a short file."""
    for number, how in enumerate(({"chunks": (1, 10, 4)}, {"compression": "gzip"}, {})):
        directory = write_ave(tmp_path / str(number))
        path = directory / "audio_feature.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("avadataset", data=np.ones((3, 10, 4)), **how)
        path.write_bytes(path.read_bytes()[: -1 if how else 2060])
        with pytest.raises(ArchiveError, match="truncated"):
            load_archive(directory)


@pytest.mark.parametrize("header", ["", "Category&VideoID&Quality&StartTime&EndTime"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_annotations_in_every_shape_of_line(header: str, end: str) -> None:
    """A header line or none, LF or CRLF, commas, ids that begin with -, ids that occur twice, blank lines."""
    lines = [header] * bool(header) + [
        "Church bell&RUhOCu3LNXM&good&0&10",
        "Fixed-wing aircraft, airplane&-5mSUaIjuXI&good&3&5",
        "Male speech, man speaking&-5mSUaIjuXI&bad&8&10",
        "",
    ]
    found = parse_ave_annotations(end.join(lines))
    assert [(a.category, a.video_id, a.quality, a.start_s, a.end_s) for a in found] == [
        ("Church bell", "RUhOCu3LNXM", "good", 0, 10),
        ("Fixed-wing aircraft, airplane", "-5mSUaIjuXI", "good", 3, 5),
        ("Male speech, man speaking", "-5mSUaIjuXI", "bad", 8, 10),
    ]


BROKEN: dict[str, Callable[[Arrays], object]] = {
    "audio of two axes": lambda a: a.update(audio=a["audio"][:, 0]),
    "visual of one second less": lambda a: a.update(visual=a["visual"][:, 1:]),
    "one label less": lambda a: a.update(label=a["label"][1:]),
    "one event row less": lambda a: a.update(event=a["event"][1:]),
    "events per video": lambda a: a.update(event=a["event"][:, 0]),
    "one split less": lambda a: a.update(split=a["split"][1:]),
    "one id less": lambda a: a.update(video_id=a["video_id"][1:]),
    "a split of another name": lambda a: a.update(split=np.array(["train", "dev", "train", "val"])),
    "a label beyond the classes": lambda a: a.update(label=a["label"] + 1),
    "a label under -1": lambda a: a.update(label=a["label"] - 2),
    "masks of one second less": lambda a: a.update(heard=a["event"][:, 1:]),
    "labels that are no whole numbers": lambda a: a.update(label=a["label"] + 0.5),
    "a NaN": lambda a: a.update(visual=np.where(a["visual"] > 0.9, np.nan, a["visual"])),
    "an infinity": lambda a: a.update(visual=np.where(a["visual"] > 0.9, np.inf, a["visual"])),
    "words for numbers": lambda a: a.update(audio=a["audio"].astype(str).astype("U9") + np.array("x")),
    "pickled objects": lambda a: a.update(video_id=np.array(["a", 1, None, "d"], object)),
    "no audio": lambda a: a.pop("audio"),
    "no classes": lambda a: a.pop("classes"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_npz_is_refused(tmp_path: Path, fault: str) -> None:
    """Arrays that are absent, do not fit each other or hold what cannot be learnt from."""
    content = arrays()
    BROKEN[fault](content)
    with pytest.raises(ArchiveError):
        load_archive(write_npz(tmp_path / "a.npz", content))


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    """Absent, empty, text, a lone array, cut short, a flipped byte, an empty directory."""
    whole = write_npz(tmp_path / "whole.npz", arrays()).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 4] ^= 0xFF
    np.save(tmp_path / "lone.npy", np.zeros(3))
    contents = {
        "empty": b"",
        "text": b"hello",
        "lone": (tmp_path / "lone.npy").read_bytes(),
        "cut": whole[: len(whole) // 2],
        "headless": whole[:40],
        "flipped": bytes(flipped),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "directory").mkdir()
    for name in (*contents, "absent", "directory"):
        with pytest.raises(ArchiveError, match=r"is no feature archive.*is expected"):
            load_archive(tmp_path / name)


def test_broken_ave_directories_are_refused(tmp_path: Path) -> None:
    """A file less, a row of annotation less, an order beyond the rows, a line of four fields, no HDF5."""

    def without(name: str) -> Callable[[Path], object]:
        return lambda d: (d / name).unlink()

    def reordered(d: Path) -> None:
        with h5py.File(d / "train_order.h5", "w") as file:
            file["order"] = [99]

    def renamed(d: Path) -> None:
        with h5py.File(d / "audio_feature.h5", "w") as file:
            file["other"] = [1.0]

    faults: dict[str, Callable[[Path], object]] = {
        name: without(name) for name in ("audio_feature.h5", "visual_feature.h5", "Annotations.txt", "val_order.h5")
    } | {
        "order": reordered,
        "key": renamed,
        "row": lambda d: (d / "Annotations.txt").write_text("A&x&good&0&10\n"),
        "fields": lambda d: (d / "Annotations.txt").write_text("A&x&good&0&10\n" * 2 + "A&x&0&10\n"),
        "times": lambda d: (d / "Annotations.txt").write_text("A&x&good&0&10\n" * 2 + "A&x&good&a&b\n"),
        "binary": lambda d: (d / "Annotations.txt").write_bytes(b"\xff\xfe" * 20),
        "no hdf5": lambda d: (d / "visual_feature.h5").write_bytes(b"x" * 100),
        "flat": lambda d: write_ave(d, visual=np.ones(3)),
        "seconds": lambda d: write_ave(d, visual=np.ones((3, 9, 5))),
    }
    for name, spoil in faults.items():
        directory = write_ave(tmp_path / name.replace(" ", "-"))
        spoil(directory)
        with pytest.raises(ArchiveError):
            load_archive(directory)


def test_an_unknown_or_empty_split_is_refused(tmp_path: Path) -> None:
    """A split that is none of the three, or that has no videos, makes no corpus."""
    content = arrays()
    content["split"][:] = "train"
    archive = load_archive(write_npz(tmp_path / "a.npz", content))
    for split in ("val", "dev", ""):
        with pytest.raises(ArchiveError, match=r"given.*expected"):
            archive.corpus(split)


@pytest.mark.shared
def test_the_shared_archive_has_the_published_counts(shared: Path) -> None:
    """2,141 / 400 / 399 videos of ten seconds, 28 classes; no id occurs in two splits."""
    archive = load_archive(shared / "ave" / "ave_features.npz")
    corpora = [archive.corpus(split) for split in ("train", "val", "test")]
    assert [len(c) for c in corpora] == [2141, 400, 399]
    assert len(archive.classes) == 28
    assert archive.identity == "archive-128-512"
    train, val, test = (set(c.video_ids) for c in corpora)
    assert train.isdisjoint(val | test)
    assert val.isdisjoint(test)
