"""A snapshot is a whole library in one file; what is not whole, or not ours, is never restored."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from catalogue_samples import ingest as ingest_latents
from catalogue_samples import same
from latent_samples import clustered_latents
from library_samples import files_below, first_release, small_snapshot
from service_samples import Command, Ran, ingest_into

from app.library.ingest import Source
from index import snapshot
from index.library import Library
from index.migrations import STEPS, newest
from index.snapshot import restore, take
from model.errors import LibraryError

LIBRARY = 4
MEMBERS = ("catalogue.sqlite", "checkpoints/a.json", "media/upload-ä")


def parsed(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def upload(library: Path, clip: Path) -> str:
    """Let a copy of a clip be the library's own, as uploads are; return its name there."""
    path = library / "media" / "upload-1"
    path.write_bytes(clip.read_bytes() + b"\0")  # other content than the clip that was ingested in place
    (outcome,) = ingest_into(library, [Source(path, clip.name, uploaded=True)])
    assert outcome.state == "added"
    return path.name


def names_in(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the snapshot of a library of two videos, with a checkpoint and an upload of a few bytes."""
    return small_snapshot(tmp_path)


def test_a_restored_library_is_the_one_that_was_saved(
    echolens: Command, own_library: Path, footage: list[Path], tmp_path: Path
) -> None:
    """Counts, latents, model and uploads are the same elsewhere, it is sound, and it finds what was found."""
    name, file, restored = upload(own_library, footage[0]), tmp_path / "backup.tar", tmp_path / "a" / "restored"
    told = parsed(echolens("library", "snapshot", file, "--library", own_library, "--json"))
    assert (told["videos"], told["in_place"], told["size_bytes"]) == (7, 6, file.stat().st_size)
    shutil.move(own_library, tmp_path / "gone")
    assert parsed(echolens("library", "restore", file, "--library", restored, "--json"))["videos"] == 7
    with Library.open(tmp_path / "gone") as old, Library.open(restored, create=False) as new:
        assert old.catalogue.stats() == new.catalogue.stats()
        assert list(old.catalogue.every_video()) == list(new.catalogue.every_video())
        for modality in ("audio", "visual"):
            assert same(old.catalogue.latents(modality).latents, new.catalogue.latents(modality).latents)  # type: ignore[arg-type]
    assert (restored / "media" / name).read_bytes() == footage[0].read_bytes() + b"\0"
    assert echolens("library", "check", "--media", "--library", restored).code == 0
    ask = ("retrieve", footage[3], "--query-modality", "audio", "--target", "visual", "--json", "--library")
    answers = [parsed(echolens(*ask, library))["hits"] for library in (tmp_path / "gone", restored)]
    was, now = ([(h["segment_id"], h["distance"]) for h in hits] for hits in answers)
    assert was == now


def test_a_snapshot_holds_what_cannot_be_made_again(small: Path, tmp_path: Path) -> None:
    """Catalogue, checkpoints and uploads, no cache; previews where they are asked for; checksums are those of `tar`."""
    assert names_in(small) == ["snapshot.json", *MEMBERS, "manifest.json"]
    take(tmp_path / "small", tmp_path / "more.tar", previews=True)
    assert set(names_in(tmp_path / "more.tar")) - set(names_in(small)) == {"previews/x"}
    with tarfile.open(small) as tar:
        contents = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    manifest = json.loads(contents.pop("manifest.json"))
    assert manifest == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    facts = json.loads(contents["snapshot.json"])
    assert (facts["schema_version"], facts["fingerprint"], facts["videos"]) == (newest(), "abc", 2)


def test_a_snapshot_is_one_moment_of_a_library_in_use(tmp_path: Path) -> None:
    """While another thread ingests and deletes, every snapshot's catalogue has whole videos alone."""
    stop, failed = Event(), list[BaseException]()
    with Library.open(tmp_path / "busy") as library:
        ingest_latents(library.catalogue, 0)

        def write() -> None:
            try:
                for number in range(1, 10_000):
                    ingest_latents(library.catalogue, number)
                    if number % 5 == 0:
                        library.catalogue.delete_video(next(library.catalogue.every_video()).video_id)
                    if stop.is_set():
                        return
            except BaseException as error:
                failed.append(error)

        writer = Thread(target=write)
        writer.start()
        try:
            for number in range(4):
                take(tmp_path / "busy", tmp_path / f"{number}.tar")
        finally:
            stop.set()
            writer.join()
    assert not failed
    versions = []
    for number in range(4):
        restore(tmp_path / f"{number}.tar", tmp_path / str(number))
        with Library.open(tmp_path / str(number), create=False) as restored:
            stats = restored.catalogue.stats()
        assert stats.segments == 3 * stats.videos
        assert stats.audio_latents == stats.visual_latents == 2 * stats.videos
        versions.append(stats.catalogue_version)
    assert versions == sorted(versions)


def assert_refused(file: Path, target: Path, word: str = "expected") -> None:
    """Check that a file is refused with LibraryError, and that nothing is left behind."""
    before = sorted(target.parent.iterdir())
    with pytest.raises(LibraryError, match=word):
        restore(file, target)
    assert sorted(target.parent.iterdir()) == before


def test_a_flipped_bit_is_noticed(small: Path, tmp_path: Path) -> None:
    """A bit flipped anywhere is an error, or lies in tar's padding: then what is restored is the same."""
    content, random = bytearray(small.read_bytes()), np.random.default_rng(0)
    restore(small, tmp_path / "whole")
    whole = files_below(tmp_path / "whole")
    ends = [len(content) - 10240 * 2 + n for n in range(0, 20480, 997)]
    refused = 0
    for place in [*range(0, 2048, 97), *random.integers(len(content), size=60).tolist(), *ends]:
        flipped = tmp_path / "flipped.tar"
        changed = content.copy()
        changed[place] ^= 1 << int(random.integers(8))
        flipped.write_bytes(changed)
        try:
            restore(flipped, tmp_path / "restored")
        except LibraryError:
            refused += 1
            assert not (tmp_path / "restored").exists()
        else:
            assert files_below(tmp_path / "restored") == whole
            shutil.rmtree(tmp_path / "restored")
    assert refused > 60


def test_a_cut_file_is_noticed(small: Path, tmp_path: Path) -> None:
    """Cut anywhere before its manifest's end, a snapshot is refused and leaves nothing behind."""
    content, cut = small.read_bytes(), tmp_path / "cut.tar"
    end = content.rindex(b"}") + 1
    for length in [0, 1, 511, 512, 513, 1024, 3000, *range(5000, end, end // 25), end - 1]:
        cut.write_bytes(content[:length])
        assert_refused(cut, tmp_path / "restored", r"cut\.tar given")


Members = list[tuple[tarfile.TarInfo, bytes]]


def pack(file: Path, members: Members) -> None:
    """Write members, closing with the manifest that fits them."""
    sums = {info.name: hashlib.sha256(content).hexdigest() for info, content in members}
    closing = json.dumps(sums).encode()
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in [*members, (tarfile.TarInfo("manifest.json"), closing)]:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def unpack(file: Path) -> Members:
    with tarfile.open(file) as tar:
        return [(m, tar.extractfile(m).read()) for m in tar.getmembers()[:-1]]  # type: ignore[union-attr]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b"" if link or kind != tarfile.REGTYPE else b"evil"


HOSTILE = [
    member("../evil"),
    member("/tmp/evil"),
    member("media/../../evil"),
    member("media/./evil"),
    member("media//evil"),
    member("media"),
    member("evil"),
    member("cache/features/evil"),
    member("writer.lock"),
    member("media/evil", tarfile.SYMTYPE, "/etc/passwd"),
    member("media", tarfile.SYMTYPE, "/etc"),
    member("media/evil", tarfile.LNKTYPE, "catalogue.sqlite"),
    member("media/evil", tarfile.CHRTYPE),
    member("media/evil", tarfile.FIFOTYPE),
    member("media/evil", tarfile.DIRTYPE),
    member("catalogue.sqlite"),
]


@pytest.mark.parametrize("evil", HOSTILE, ids=lambda m: f"{m[0].name}-{m[0].type.decode()}")
def test_what_a_snapshot_never_holds_is_refused(
    small: Path, tmp_path: Path, evil: tuple[tarfile.TarInfo, bytes]
) -> None:
    """Names that leave the directory or come twice, links, devices: refused though checksums fit, nothing left."""
    members = unpack(small)
    (tmp_path / "evil").mkdir()
    for place in (1, len(members)):
        pack(tmp_path / "evil" / "a.tar", [*members[:place], (replace_info(evil[0]), evil[1]), *members[place:]])
        assert_refused(tmp_path / "evil" / "a.tar", tmp_path / "evil" / "restored")
    assert not list(tmp_path.rglob("evil/evil"))


def replace_info(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member of its own for each file: packing sets its size."""
    again = tarfile.TarInfo(info.name)
    again.type, again.linkname = info.type, info.linkname
    return again


def test_what_is_no_snapshot_is_refused(small: Path, tmp_path: Path) -> None:
    """Another tar, one without a catalogue or in another order, a text, a directory and nothing at all."""
    members = unpack(small)
    (tmp_path / "text.tar").write_text("no tar " * 1000)
    wrong: dict[str, Members] = {
        "empty": [],
        "other": [member("media/x")],
        "no-catalogue": [members[0], *members[2:]],
        "no-facts": members[1:],
        "order": [*members[1:], members[0]],
    }
    for name, some in wrong.items():
        pack(tmp_path / f"{name}.tar", some)
    for name in (*wrong, "text", "absent"):
        assert_refused(tmp_path / f"{name}.tar", tmp_path / "restored")
    assert_refused(tmp_path, tmp_path / "restored")


def test_a_snapshot_of_a_newer_release_is_refused(small: Path, tmp_path: Path) -> None:
    """The message says to upgrade."""
    members = unpack(small)
    facts = json.loads(members[0][1]) | {"schema_version": newest() + 1}
    pack(small, [(members[0][0], json.dumps(facts).encode()), *members[1:]])
    assert_refused(small, tmp_path / "restored", "upgrade")


def test_restoring_never_touches_what_is_there(echolens: Command, small: Path, tmp_path: Path) -> None:
    """4 for a library, a directory with anything in it and a file; an empty one and a volume's lost+found will do."""
    used, volume = tmp_path / "used", tmp_path / "volume"
    for directory in (used, volume / "lost+found"):
        directory.mkdir(parents=True)
    (used / "mine").write_text("x")
    for target in (tmp_path / "small", used, small):
        before = files_below(tmp_path)
        ran = echolens("library", "restore", small, "--library", target)
        assert (ran.code, "absent or empty" in ran.err) == (LIBRARY, True)
        assert files_below(tmp_path) == before
    assert echolens("library", "restore", small, "--library", volume).code == 0
    with Library.open(volume, create=False) as library:
        assert library.catalogue.stats().videos == 2


def test_a_snapshot_lies_outside_of_its_library(small: Path, tmp_path: Path) -> None:
    """Within it, in a place that is absent, and of no library, it is refused before anything is written."""
    before = set(files_below(tmp_path))
    for library, file in (
        (tmp_path / "small", tmp_path / "small" / "media" / "x.tar"),
        (tmp_path / "small", tmp_path / "absent" / "x.tar"),
        (tmp_path / "absent", tmp_path / "x.tar"),
    ):
        with pytest.raises(LibraryError, match="given"):
            take(library, file)
    assert set(files_below(tmp_path)) == before


def test_nothing_but_an_older_snapshot_is_replaced(small: Path, tmp_path: Path) -> None:
    """Another library's catalogue, a document, a directory, a link and a device stay what they are."""
    library, link = tmp_path / "small", tmp_path / "link.tar"
    other = tmp_path / "other" / "catalogue.sqlite"
    other.parent.mkdir()
    other.write_bytes((library / "catalogue.sqlite").read_bytes())
    text = tmp_path / "text.tar"
    text.write_text("a document")
    link.symlink_to(text)
    before = other.read_bytes()
    for file in (other, text, other.parent, link, Path(os.devnull)):
        with pytest.raises(LibraryError, match="no snapshot"):
            take(library, file)
    assert other.read_bytes() == before
    assert text.read_text() == "a document"
    assert link.is_symlink()
    assert Path(os.devnull).is_char_device()
    assert take(library, small).videos == 2


def test_a_damaged_library_gives_no_snapshot(small: Path, tmp_path: Path) -> None:
    """The older snapshot is not replaced by one of a catalogue that SQLite finds broken."""
    before, path = small.read_bytes(), tmp_path / "small" / "catalogue.sqlite"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8192)
    with pytest.raises(LibraryError):
        take(tmp_path / "small", small)
    assert small.read_bytes() == before


def test_before_an_upgrade_the_older_library_is_kept_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot does not upgrade; what was restored from it is of the older schema, and is upgraded when opened."""
    monkeypatch.setitem(STEPS, newest() + 1, ("CREATE TABLE notes (n INTEGER)",))
    (tmp_path / "old").mkdir()
    first_release(tmp_path / "old" / "catalogue.sqlite")
    before = (tmp_path / "old" / "catalogue.sqlite").read_bytes()
    assert take(tmp_path / "old", tmp_path / "old.tar").schema_version == 1
    assert (tmp_path / "old" / "catalogue.sqlite").read_bytes() == before
    restore(tmp_path / "old.tar", tmp_path / "new")
    with Library.open(tmp_path / "new", create=False) as library:
        assert library.catalogue.stats().videos == 1


def test_an_upload_that_goes_or_grows_meanwhile_is_no_obstacle(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file deleted after the catalogue was copied is left out, one that grows is taken as long as it was."""
    growing = tmp_path / "small" / "media" / "growing"
    growing.write_bytes(b"x" * 10)
    files = snapshot._files

    def meanwhile(*arguments: Any) -> list[tuple[str, Path]]:
        found = list(files(*arguments))
        (tmp_path / "small" / "checkpoints" / "a.json").unlink()
        return found

    class Growing(snapshot._Hashed):
        def read(self, size: int) -> bytes:
            with growing.open("ab") as file:
                file.write(b"y" * 1000)
            return super().read(size)

    monkeypatch.setattr(snapshot, "_files", meanwhile)
    monkeypatch.setattr(snapshot, "_Hashed", Growing)
    take(tmp_path / "small", small)
    monkeypatch.undo()
    restore(small, tmp_path / "restored")
    kept = files_below(tmp_path / "restored")
    assert "checkpoints/a.json" not in kept
    assert kept["media/growing"].startswith(b"x" * 10)


def test_latents_of_a_snapshot_are_whole(small: Path, tmp_path: Path) -> None:
    """Bit by bit those that went in."""
    restore(small, tmp_path / "restored")
    with Library.open(tmp_path / "restored", create=False) as library:
        video = next(library.catalogue.every_video())
        kept = library.catalogue.latents_of(video.video_id, "audio").latents
        assert same(kept, clustered_latents(2, seed=0))
