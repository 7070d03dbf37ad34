"""Messages name flags, files that are not there, and nothing that only a service has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from service_samples import Command

from app.commands.terminal import with_flags
from app.server import create_app
from app.settings import Settings

USAGE, MEDIUM, OTHER = 2, 3, 6


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("set query_modality to audio or visual", "set --query-modality to audio or visual"),
        ("at_s=5 given, but a.wav has no such second", "--at=5 given, but a.wav has no such second"),
        ("k=0 given, at least 1 expected", "--k=0 given, at least 1 expected"),
        ("merge_adjacent and group_by=video given:", "--merge-adjacent and --group-by=video given:"),
        ("either a file or a segment_id, not both", "either a file or a --segment-id, not both"),
        ("give query_start_s and query_length_s.", "give --start and --length."),
        ("max_distance=-1, after_s=2, before_s=1", "--max-distance=-1, --after=2, --before=1"),
        ("with CSV, or PATCH /videos/{id}", "with CSV, or echolens videos label VIDEO_ID LABEL"),
        ("/home/video_id/at_s.wav is cut short", "/home/video_id/at_s.wav is cut short"),
        ("rank=3 and my_segment_id are no fields", "rank=3 and my_segment_id are no fields"),
    ],
)
def test_fields_become_flags(message: str, expected: str) -> None:
    """Only whole words do, never a part of a path or of a longer name."""
    assert with_flags(message) == expected


def test_an_error_on_the_command_line_names_the_flag(echolens: Command, library: Path, footage: list[Path]) -> None:
    """Errors of the shared code go through the translation."""
    for arguments, flag, field in (
        (("retrieve", footage[0], "--target", "visual"), "--query-modality", "query_modality"),
        (("retrieve", footage[0], "--target", "visual", "--k", 0), "--k=0", " k=0"),
        (("localize", footage[0], "--direction", "a2v"), "--start", "query_start_s"),
    ):
        ran = echolens(*arguments, "--library", library)
        assert (ran.code, flag in ran.err, field in ran.err) == (OTHER, True, False), ran.err


def test_a_missing_file_is_called_missing(echolens: Command, library: Path, tmp_path: Path) -> None:
    """Every command that takes a file says that there is none, and prints no answer."""
    gone, at = tmp_path / "gone.wav", ("--library", library)
    for arguments in (
        ("retrieve", gone, "--target", "visual", *at),
        ("localize", gone, "--direction", "a2v", "--start", 0, "--length", 1, *at),
        ("generate", gone, "--out", tmp_path / "out", *at),
        ("ingest", gone, *at),
    ):
        ran = echolens(*arguments)
        assert (ran.code, ran.out) == (MEDIUM, ""), ran
        assert f"{gone}: there is no such file" in ran.err
    for arguments in (
        ("ingest", tmp_path, "--labels", gone, *at),
        ("train", "--archive", gone, *at),
        ("evaluate", "--archive", gone, *at),
        ("benchmark", "--archive", gone, "--json", tmp_path / "figures.json"),
        ("library", "restore", gone, "--library", tmp_path / "out"),
        ("frontends", "pull", "--from", gone, "--library", tmp_path / "out"),
    ):
        ran = echolens(*arguments)
        assert (ran.code, ran.out) == (USAGE, ""), ran
        assert "does not exist" in " ".join(ran.err.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_mistyped_path_leaves_nothing_behind(echolens: Command, footage: list[Path], tmp_path: Path) -> None:
    """No library is made, none gets a failure, and the right path beside it is not ingested."""
    ran = echolens("ingest", footage[0], tmp_path / "typo.mp4", "--library", tmp_path / "lib")
    assert (ran.code, "typo.mp4" in ran.err, footage[0].name in ran.err) == (MEDIUM, True, False)
    assert not (tmp_path / "lib").exists()
    assert echolens("ingest", footage[0], "--frontend", "raw", "--library", tmp_path / "lib").code == 0
    assert echolens("ingest", tmp_path / "typo.mp4", "--library", tmp_path / "lib").code == MEDIUM
    stats = json.loads(echolens("library", "stats", "--library", tmp_path / "lib", "--json").out)
    assert (stats["videos"], stats["failed"], stats["failures"]) == (1, 0, [])


def test_ingest_names_the_file_that_it_reads(
    echolens: Command, footage: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the bar stands the file at hand, not the one that is done."""
    told: list[str] = []

    @contextmanager
    def noted(total: int, what: str, first: str = "") -> Iterator[Callable[[str], None]]:
        told.append(first)
        yield told.append

    monkeypatch.setattr("app.commands.ingest.progress", noted)
    assert echolens("ingest", *footage[:2], "--frontend", "raw", "--library", tmp_path / "lib").code == 0
    assert told == [*(path.name for path in footage[:2]), ""]


def test_the_version_is_that_of_the_service(echolens: Command) -> None:
    """`--version` and the service take it from the installed package."""
    assert echolens("--version").out.strip() == version("echolens") == create_app(Settings()).version
