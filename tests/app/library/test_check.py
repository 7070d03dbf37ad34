"""`library check` finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_samples import first_release
from service_samples import Command, Ran

from app.library.check import check
from app.library.session import Session
from index.library import Library

SOUND, LIBRARY, UNSOUND = 0, 4, 7
Harm = Callable[[Path], object]


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in json.loads(ran.out)["findings"]}


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file's bytes; those that SQLite keeps beside a catalogue in use apart."""
    files = (p for p in directory.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm")))
    return {str(p.relative_to(directory)): p.read_bytes() for p in files}


def test_a_sound_library_is_said_to_be(echolens: Command, own_library: Path) -> None:
    """0, no finding, also with every original read, and not a byte of the library is changed."""
    before = contents(own_library)
    for arguments in ((), ("--media",)):
        ran = echolens("library", "check", "--library", own_library, "--json", *arguments)
        assert (ran.code, json.loads(ran.out)) == (SOUND, {"sound": True, "findings": []})
    plain = echolens("library", "check", "--library", own_library)
    assert (plain.code, "is sound" in plain.out) == (SOUND, True)
    assert contents(own_library) == before


def test_how_videos_were_read_is_told(echolens: Command, own_library: Path) -> None:
    """One cut off, one missing, one of an older release: three remarks, each with what to do; stats count them."""
    sql(
        "UPDATE videos SET complete = 0, loss_s = 1.5 WHERE position = 1",
        "UPDATE videos SET missing = 1 WHERE position = 2",
        "UPDATE videos SET decoding = 1 WHERE position = 3",
    )(own_library)
    ran = echolens("library", "check", "--library", own_library, "--json")
    found = findings(ran)
    assert (ran.code, set(found)) == (SOUND, {"incomplete", "missing", "older_decoding"})
    assert all(len(f["items"]) == 1 and f["severity"] == "remark" for f in found.values())
    assert "echolens ingest" in found["older_decoding"]["detail"]
    stats = json.loads(echolens("library", "stats", "--library", own_library, "--json").out)
    counted = ("lossy", "loss_s", "incomplete", "missing", "outdated")
    assert [stats[name] for name in counted] == [1, 1.5, 1, 1, 1]


def sql(*statements: str) -> Harm:
    """Return what runs statements in a library's catalogue behind Echolens's back."""

    def run(library: Path) -> None:
        c = sqlite3.connect(library / "catalogue.sqlite")
        c.create_function("nan", 1, lambda size: np.full(size // 4, np.nan, np.float32).tobytes())
        for statement in statements:
            c.execute(statement)
        c.commit()
        c.close()

    return run


def noise_in_the_middle(library: Path) -> None:
    path = library / "catalogue.sqlite"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)


def change_a_checkpoint(library: Path) -> None:
    (path,) = (library / "checkpoints").glob("*.json")
    path.write_text(path.read_text().replace('"temperature": ', '"temperature": 1'))


def cut_features(library: Path) -> None:
    path = next(library.glob("cache/features/*/*.npz"))
    path.write_bytes(path.read_bytes()[:1000])


def leave_files(library: Path) -> None:
    (library / "previews" / "0123456789abcdef").mkdir()
    (library / "media" / "upload-x").write_bytes(b"x")


def remove_checkpoint(library: Path) -> None:
    for path in (library / "checkpoints").iterdir():
        path.unlink()


def replace_original(change: Callable[[bytes], bytes]) -> Harm:
    """Return what points the first video to a changed copy of its file."""

    def harm(library: Path) -> None:
        with Library.open(library, create=False) as opened:
            video = next(opened.catalogue.every_video())
            copy = library.parent / "copy.mp4"
            copy.write_bytes(change(Path(video.path).read_bytes()))
            opened.catalogue.relocate(video.video_id, str(copy))

    return harm


FAULTS: list[tuple[str, Harm, str]] = [
    ("damaged", noise_in_the_middle, "snapshot"),
    ("broken_references", sql("DELETE FROM segments WHERE segment_id = 4"), "latents -> segments"),
    ("broken_latents", sql("UPDATE latents SET sigma = x'00' WHERE segment_id = 4"), "at 3 s"),
    (
        "broken_latents",
        sql("UPDATE latents SET concepts = x'0000'", "UPDATE latents SET concepts = x'00' WHERE segment_id = 4"),
        "at 3 s",
    ),
    ("broken_latents", sql("UPDATE latents SET generated = nan(length(generated)) WHERE segment_id = 4"), "reencode"),
    ("not_encoded", sql("DELETE FROM latents WHERE segment_id IN (4, 5)"), "2 seconds"),
    ("checkpoint", remove_checkpoint, "cannot be loaded"),
    ("checkpoint", change_a_checkpoint, "expected"),
    ("front_end", sql("UPDATE meta SET value = 'pretrained' WHERE key = 'frontend'"), "frontends pull"),
    ("missing_media", sql("UPDATE videos SET path = '/absent.mp4' WHERE position = 1"), "/absent.mp4"),
    ("changed_media", replace_original(lambda content: content[:-1]), "copy.mp4"),
]
REMARKS: list[tuple[str, Harm, str]] = [
    (
        "unused_latents",
        sql("INSERT INTO latents SELECT 1, modality, segment_id, mu, sigma, generated, concepts, stamp FROM latents"),
        "60",
    ),
    ("unreadable_features", cut_features, "made again"),
    ("orphans", leave_files, "upload-x"),
    ("not_encoded", sql("UPDATE meta SET value = NULL WHERE key = 'fingerprint'", "DELETE FROM latents"), "train"),
    ("untrained", sql("UPDATE meta SET value = NULL WHERE key = 'fingerprint'"), "train"),
]


@pytest.mark.parametrize(
    ("severity", "code", "harm", "word"),
    [*(("fault", *row) for row in FAULTS), *(("remark", *row) for row in REMARKS)],
)
def test_what_is_wrong_is_found(
    echolens: Command, own_library: Path, severity: str, code: str, harm: Harm, word: str
) -> None:
    """A fault ends with 7, a remark with 0; the finding has its code and names what it is about; nothing changes."""
    harm(own_library)
    before = contents(own_library)
    ran = echolens("library", "check", "--library", own_library, "--json")
    found = findings(ran)
    assert ran.code == (UNSOUND if severity == "fault" else SOUND), found
    assert found[code]["severity"] == severity
    assert word in found[code]["detail"]
    plain = echolens("library", "check", "--library", own_library)
    assert (plain.code, f"{severity}: {code}: " in plain.out) == (ran.code, True)
    assert contents(own_library) == before


def test_other_content_of_the_same_size_is_found_by_reading_it(echolens: Command, own_library: Path) -> None:
    """One changed byte passes without --media and is found with it."""
    replace_original(lambda content: content[:-1] + bytes([content[-1] ^ 1]))(own_library)
    assert echolens("library", "check", "--library", own_library).code == SOUND
    ran = echolens("library", "check", "--library", own_library, "--media", "--json")
    assert (ran.code, list(findings(ran))) == (UNSOUND, ["changed_media"])


def test_an_upload_that_waits_for_its_job_is_no_orphan(own_library: Path, footage: list[Path]) -> None:
    """A file that a queued job names is left out, and judged once the job is done with it."""
    waiting = own_library / "media" / "upload-1"
    shutil.copy(footage[0], waiting)
    sql(
        "INSERT INTO jobs VALUES (1, 'j', 'ingest', 'queued', '', '', 0, '{\"path\": \"media/upload-1\"}', '{}', 0, 0)",
    )(own_library)
    assert check(own_library, media=False) == []
    sql("UPDATE jobs SET state = 'failed'")(own_library)
    assert check(own_library, media=False) == [], "it can be tried again"
    sql("UPDATE jobs SET state = 'done'")(own_library)
    assert [finding.items for finding in check(own_library, media=False)] == [("media/upload-1",)]


def test_a_library_may_be_in_use(own_library: Path) -> None:
    """What another process holds open, with changes that are not yet in the main file, is checked as it is."""
    with Session.open(own_library, torch.device("cpu"), create=False) as session, session.library.writer():
        video = next(session.library.catalogue.every_video())
        session.library.catalogue.relocate(video.video_id, "/gone.mp4")
        (finding,) = check(own_library, media=False)
    assert (finding.code, finding.items) == ("missing_media", ("/gone.mp4",))


def test_an_older_library_is_not_upgraded_by_it(echolens: Command, tmp_path: Path) -> None:
    """It is said that its schema is older, and it stays so."""
    first_release(tmp_path / "catalogue.sqlite")
    before = contents(tmp_path)
    ran = echolens("library", "check", "--library", tmp_path, "--json")
    assert (ran.code, list(findings(ran))) == (SOUND, ["old_schema"])
    assert contents(tmp_path) == before
    assert echolens("library", "stats", "--library", tmp_path).code == SOUND
    assert "missing_media" in findings(echolens("library", "check", "--library", tmp_path, "--json"))


def test_where_there_is_no_library_none_is_made(echolens: Command, tmp_path: Path) -> None:
    """4 for an absent directory and for one of something else, which stay as they are."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "catalogue.sqlite").write_bytes(b"no catalogue" * 1000)
    before = contents(tmp_path)
    for name in ("absent", "other"):
        ran = echolens("library", "check", "--library", tmp_path / name)
        assert (ran.code, ran.out, "library: " in ran.err) == (LIBRARY, "", True)
    assert contents(tmp_path) == before
    assert not (tmp_path / "absent").exists()
