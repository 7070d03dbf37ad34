"""The features of a recording in parts: each second once, whoever wrote the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.data.feature_parts import FeatureParts, context_of
from model.data.features import UNREADABLE, Features


def features(start_s: int, stop_s: int, seen: bool = True) -> Features:
    seconds = np.arange(start_s, stop_s)
    values = np.float32(seconds)
    there = np.ones(len(seconds), bool)
    return Features(seconds, values[:, None], values[:, None, None], there, there & seen, there, there)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part be four seconds."""
    monkeypatch.setattr("model.data.feature_parts.PART_S", 4)


@pytest.fixture
def parts(tmp_path: Path) -> FeatureParts:
    """Keep ten seconds in three parts."""
    made = FeatureParts(tmp_path / "ab.npz")
    for start_s in (8, 0, 4):
        made.keep(start_s, features(start_s, min(10, start_s + 4)))
    return made


def test_the_parts_joined_are_the_recording(parts: FeatureParts, tmp_path: Path) -> None:
    """In order of time, from files named by where they begin; another recording's are not among them."""
    FeatureParts(tmp_path / "abc.npz").keep(0, features(0, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ab.4.npz", "ab.8.npz", "ab.npz", "abc.npz"]
    assert [part.start_s.tolist() for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert Features.joined(list(parts)).audio.tobytes() == features(0, 10).audio.tobytes()
    parts.remove(kept=[4])
    assert parts.starts() == [4]


def test_an_older_file_that_holds_everything_is_one_part_until_it_is_cut(tmp_path: Path) -> None:
    """It has no marks of damage: all is whole. Its parts hold the same, also where the cutting was cut off."""
    old, path = FeatureParts(tmp_path / "ab.npz"), tmp_path / "ab.npz"
    columns = {name: array for name, array in vars(features(0, 10)).items() if not name.endswith("whole")}
    np.savez(path, **columns)
    (whole,) = old
    assert whole.sound_whole.all()
    assert len(whole.frame_whole) == 10
    content = path.read_bytes()
    old.split()
    assert [part.start_s.tolist() for part in old] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    path.write_bytes(content)  # as if killed before the first file was replaced
    assert Features.joined(list(old)).start_s.tolist() == list(range(10))
    old.split()
    old.split()
    assert Features.joined(list(old)).audio.tobytes() == whole.audio.tobytes()


def test_a_stretch_is_found_among_the_parts(parts: FeatureParts) -> None:
    """Half open, over the seams, to the end where it has none."""
    for start_s, stop_s in ((0, 4), (3, 9), (4, 8), (5, 6), (6, None), (0, None)):
        found = parts.between(start_s, stop_s)
        assert found is not None
        assert found.start_s.tolist() == list(range(start_s, min(10, stop_s or 10)))
    assert parts.between(10, 20) is None


def test_the_context_before_a_second_has_the_last_picture(tmp_path: Path) -> None:
    """The last seconds before a time, and the last seen one before them, however many parts lie between."""
    parts = FeatureParts(tmp_path / "ab.npz")
    assert parts.before(5, 2) is None
    parts.keep(0, features(0, 4))
    for start_s in (4, 8, 12):
        parts.keep(start_s, features(start_s, start_s + 4, seen=False))
    for stop_s, expected in ((16, [3, 14, 15]), (9, [3, 7, 8]), (3, [0, 1, 2]), (2, [0, 1])):
        found = parts.before(stop_s, 2)
        assert found is not None
        assert found.start_s.tolist() == expected
    assert context_of(features(0, 5, seen=False), 3).start_s.tolist() == [3, 4]


def test_a_spoilt_part_is_told(parts: FeatureParts, tmp_path: Path) -> None:
    """A part that was cut off raises what a cut off file raises."""
    (tmp_path / "ab.4.npz").write_bytes((tmp_path / "ab.4.npz").read_bytes()[:100])
    with pytest.raises(UNREADABLE):
        list(parts)
