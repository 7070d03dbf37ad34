"""The archive of a data set's features: what it holds of each item, and that it is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_samples import Clips
from media_samples import write_sound, write_video

from app.datasets.feature_archive import archive_bytes, features_of, first_second, write_archive
from app.datasets.item import Item
from app.library.source import Outcome
from model.data.archive import load_archive
from model.errors import LibraryError, Silent, TooShort
from model.frontends.raw import RawFrontEnd


@pytest.fixture(scope="module")
def front_end() -> RawFrontEnd:
    return RawFrontEnd()


def test_an_archive_holds_the_features_of_its_items(clips: Clips, front_end: RawFrontEnd, tmp_path: Path) -> None:
    """Rows are those of the list; short items end with seconds of neither; unlabelled ones have no class."""
    sound = write_sound(tmp_path / "sound.wav")  # 3 s
    items = [
        Item(clips.two, "b", ("cat", "pet"), 1.0, 2.0, "test"),
        Item(clips.one, "a", ("ant",), split="train"),
        Item(sound, "c", (), 0.0, 1.0),
        Item(clips.one, "a", ("cat",), 0.0, 1.0, "train"),
    ]
    outcomes: list[Outcome] = []
    write_archive(tmp_path / "a.npz", front_end, items, 3, outcomes.append)
    archive = load_archive(tmp_path / "a.npz")
    assert [outcome.state for outcome in outcomes] == ["added"] * 4
    assert archive.audio.shape == (4, 3, 64 * 32)
    assert archive.visual.shape == (4, 3, 3 * 32 * 32)
    assert archive.video_id == ("b", "a", "c", "a")
    assert archive.classes == ("ant", "cat")
    np.testing.assert_array_equal(archive.label, [1, 0, -1, 1])
    np.testing.assert_array_equal(archive.split, ["test", "train", "", "train"])
    np.testing.assert_array_equal(archive.heard, [[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(archive.seen, [[1, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]])
    np.testing.assert_array_equal(archive.event, [[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]])
    brightness = archive.visual.mean(axis=2)
    np.testing.assert_allclose(brightness[:2, :2], [[170 / 255] * 2, [70 / 255] * 2], atol=0.02)
    assert archive.audio[0, 0].tobytes() != archive.audio[1, 0].tobytes()
    assert archive_bytes(front_end, 4, 3) == archive.audio.nbytes + archive.visual.nbytes


def test_equal_items_give_equal_bytes(clips: Clips, front_end: RawFrontEnd, tmp_path: Path) -> None:
    """However the decoding threads take turns; no time and no path is in the file."""
    items = [Item(clip, str(n), ("x",)) for n, clip in enumerate([clips.one, clips.two] * 4)]
    for name in ("a", "b"):
        write_archive(tmp_path / f"{name}.npz", front_end, items, 2, lambda _: None)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_later_part_of_a_long_file_is_taken_from_there(front_end: RawFrontEnd, tmp_path: Path) -> None:
    """Its first second in the archive is the second in which the part begins."""
    path = write_video(tmp_path / "long.mp4", 6.0, frame_rate_hz=5)
    item = Item(path, "long", ("x",), 3.2, 5.2)
    assert first_second(item, 4) == 3
    assert first_second(item, 6) == 0
    whole, part = (features_of(front_end, Item(path, "long"), 6), features_of(front_end, item, 2))
    np.testing.assert_array_equal(part.start_s, [3, 4])
    np.testing.assert_array_equal(part.visual, whole.visual[3:5])
    write_archive(tmp_path / "a.npz", front_end, [item], 2, lambda _: None)
    np.testing.assert_array_equal(load_archive(tmp_path / "a.npz").event, [[False, True]])
    with pytest.raises(TooShort, match="before second 30"):
        features_of(front_end, Item(path, "long", (), 30.0, 40.0), 10)


def test_media_that_cannot_be_used_are_named_and_the_rest_is_taken(
    clips: Clips, front_end: RawFrontEnd, tmp_path: Path
) -> None:
    """Broken, silent and vanished media fail; a text that no list names is passed over."""
    broken, text = tmp_path / "broken.mp4", tmp_path / "notes.nfo"
    broken.write_bytes(clips.one.read_bytes()[:300])
    text.write_text("no medium")
    silent = write_sound(tmp_path / "silent.wav", np.zeros(48000, np.float32))
    with pytest.raises(Silent):
        features_of(front_end, Item(silent, "silent"), 2)
    items = [Item(path, path.name, listed=path == text) for path in (broken, silent, tmp_path / "gone.mp4", text)]
    outcomes: list[Outcome] = []
    write_archive(tmp_path / "a.npz", front_end, [*items, Item(clips.one, "good")], 2, outcomes.append)
    assert [(o.path.name, o.state) for o in outcomes[:2]] == [("broken.mp4", "failed"), ("silent.wav", "failed")]
    assert [o.state for o in outcomes[2:]] == ["failed", "passed", "added"]
    assert load_archive(tmp_path / "a.npz").video_id == ("good",)


def test_an_archive_without_rows_is_not_written(front_end: RawFrontEnd, tmp_path: Path) -> None:
    """An older file of that name stays, and nothing else is left behind; nor where the folder is not there."""
    (tmp_path / "a.npz").write_text("older")
    write_archive(tmp_path / "a.npz", front_end, [Item(tmp_path / "gone.mp4", "gone")], 2, lambda _: None)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.npz", "older")]
    with pytest.raises(LibraryError, match=r"no/a\.npz"):
        write_archive(tmp_path / "no" / "a.npz", front_end, [], 2, lambda _: None)
