"""The check of long recordings: a small one passes, and it sees what it is there to see."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from service_samples import ingest_into

from app.library.ingest import Source
from benchmarks.robustness.long_recording import judge, write_recording


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Ingest a recording of twelve seconds into two libraries."""
    write_recording(tmp_path / "long.mkv", 12)
    for name in ("long", "killed"):
        ingest_into(tmp_path / name, [Source(tmp_path / "long.mkv", "long.mkv")])
    return tmp_path


def test_two_that_agree_have_no_problem(two: Path) -> None:
    """Every second is there once, and everything is the same."""
    assert list(judge(two, 12)) == []


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        ("DELETE FROM segments WHERE start_s = 7", "11 seconds"),
        ("UPDATE segments SET start_s = 30 WHERE start_s = 7", "12 seconds"),
        ("UPDATE videos SET complete = 0", "undisturbed"),
        ("UPDATE latents SET mu = sigma WHERE segment_id = 5", "latents differ"),
    ],
)
def test_what_is_wrong_is_seen(two: Path, harm: str, word: str) -> None:
    """A missing second, a misplaced one, an unfinished video and other latents are each named."""
    c = sqlite3.connect(two / "killed" / "catalogue.sqlite")
    c.execute(harm)
    c.commit()
    c.close()
    assert any(word in problem for problem in judge(two, 12))


@pytest.mark.parametrize("kind", ["mkv", "mp4", "wav"])
def test_recordings_are_as_long_as_asked_for(tmp_path: Path, kind: str) -> None:
    """Of each kind each second comes in."""
    path = tmp_path / f"r.{kind}"
    write_recording(path, 9)
    (outcome,) = ingest_into(tmp_path / "library", [Source(path, path.name)])
    assert outcome.state == "added"
