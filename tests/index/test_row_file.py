"""Files of rows: what was written stays, wherever it is read from."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from index import row_file
from index.row_file import RowFile


@pytest.fixture(params=["in a file", "in memory", "in a large file"])
def rows(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RowFile:
    if request.param == "in a large file":
        monkeypatch.setattr(row_file, "MOST_MAPPED_BYTES", 0)
        return RowFile(np.float32, 3, tmp_path / "rows")
    return RowFile(np.float32, 3, tmp_path / "rows" if request.param == "in a file" else None)


def test_rows_are_read_in_the_order_asked_for(rows: RowFile) -> None:
    content = np.arange(60, dtype=np.float32).reshape(20, 3)
    rows.append(content[:7])
    rows.append(content[7:])
    for wanted in ([3], [5, 6, 7, 8, 9, 10], [19, 0, 0, 1, 18], []):
        np.testing.assert_array_equal(rows.read(np.array(wanted, np.int64)), content[wanted])
    np.testing.assert_array_equal(rows.view(), content)
    assert rows.checksum() == zlib.crc32(content.tobytes())
    with pytest.raises(OSError, match="row 1000000"):
        rows.read(np.array([0, 10**6]))


def test_rows_that_were_just_added_are_read(rows: RowFile) -> None:
    """Also where the file was read before, and while it ends within a row."""
    content = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    for start in range(0, 1000, 100):
        rows.append(content[start : start + 100])
        os.pwrite(rows._file, b"half a row", rows.count * rows.row_bytes)
        wanted = np.arange(start + 99, -1, -7)
        np.testing.assert_array_equal(rows.read(wanted), content[wanted])


def test_what_is_read_stays_as_it_was(rows: RowFile) -> None:
    """It is a copy: a file that is cut short later takes nothing back."""
    rows.append(np.ones((5, 3), np.float32))
    found = rows.read(np.array([4, 1]))
    os.ftruncate(rows._file, 0)
    assert found.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert found.flags.writeable


@pytest.mark.parametrize("left", [0, 20])
def test_a_file_that_was_cut_short_before_it_is_read_says_so(rows: RowFile, left: int) -> None:
    rows.append(np.ones((5, 3), np.float32))
    os.ftruncate(rows._file, left)
    with pytest.raises(OSError, match=r"too short|not in the file"):
        rows.read(np.array([1, 4]))


def test_a_view_stays_as_it_was(rows: RowFile) -> None:
    """Rows that come later are not in it, and it outlives the file's name."""
    rows.append(np.zeros((2, 3), np.float32))
    before = rows.view()
    rows.append(np.ones((2, 3), np.float32))
    assert before.shape == (2, 3)
    assert rows.view().sum() == 6
    assert not before.any()


def test_a_file_goes_on_behind_what_counts(tmp_path: Path) -> None:
    """What a crash left behind the last row that counts is written over."""
    path = tmp_path / "rows"
    RowFile(np.int64, 1, path).append(np.arange(5)[:, None])
    again = RowFile.kept(np.int64, 1, path, 3, grows=True)
    again.append(np.array([[7]]))
    assert again.view().ravel().tolist() == [0, 1, 2, 7]


def test_a_file_that_is_too_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    RowFile(np.int64, 1, path).append(np.arange(5)[:, None])
    with pytest.raises(OSError, match="too short"):
        RowFile.kept(np.int64, 1, path, 6, grows=False)
    with pytest.raises(FileExistsError):
        RowFile(np.int64, 1, path)
