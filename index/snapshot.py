"""Take a snapshot of a library, and restore it: a tar of the catalogue, the checkpoints, the weights and the uploads.

`snapshot.json` comes first and describes the snapshot. `manifest.json` comes last, with the SHA-256 of every other
member: a truncated file has no manifest, and a changed byte of a member differs from it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from index.disk import flush, writing
from index.library import CATALOGUE, Library
from index.migrations import newest
from index.store import Store
from model.errors import LibraryError

FORMAT = 1
FACTS, MANIFEST = "snapshot.json", "manifest.json"
KEPT = ("checkpoints", "frontends", "media")  # cache and previews are made again from the originals
ALLOWED = (*KEPT, "previews")
UNDER_WAY = ".restoring"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Snapshot:
    """Describe a snapshot; `in_place` counts the videos whose files are elsewhere and not in it."""

    format: int
    schema_version: int
    created_at: str
    front_end: str | None
    fingerprint: str | None
    catalogue_version: int
    videos: int
    in_place: int
    previews: bool


def take(directory: Path, file: Path, previews: bool = False, step: Callable[[str], None] = lambda _: None) -> Snapshot:
    """Write a library to one file, while others read and write the library; last, replace an older snapshot.

    With `previews` it includes the frames and sounds of the seconds. LibraryError: no library, a damaged catalogue, a
    target inside the library, a target that exists and is no snapshot, or a full disk; then no part of the new file
    is left, and an older file is unchanged.
    """
    directory, file = directory.absolute(), file.absolute()
    store = _store(directory)
    try:
        if file.resolve().is_relative_to(directory.resolve()):
            raise LibraryError(f"{file} given, a place outside of the library {directory} expected: choose another")
        _check_target(file)
        with (
            writing(file),
            tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as aside,
        ):
            copy, partial = Path(aside) / CATALOGUE, Path(aside) / "snapshot.tar"
            store.copy_to(copy)
            facts = _facts(copy, previews)
            with partial.open("xb") as out:
                _write(out, directory, copy, facts, step)
                out.flush()
                os.fsync(out.fileno())
            os.replace(partial, file)
            flush(file.parent)
    finally:
        store.close()
    return facts


def _check_target(file: Path) -> None:
    """Allow only an older snapshot to be replaced."""
    if not file.parent.is_dir():
        raise LibraryError(f"{file} given, a file in a directory that is there expected: make {file.parent} first")
    if os.path.lexists(file) and not _is_snapshot(file):
        raise LibraryError(
            f"{file} is there and is no snapshot: nothing but an older snapshot is replaced, choose another name"
        )


def _is_snapshot(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    try:
        with tarfile.open(file, "r:") as tar:
            first = tar.next()
    except (tarfile.TarError, OSError):
        return False
    return first is not None and first.name == FACTS


def restore(file: Path, directory: Path, step: Callable[[str], None] = lambda _: None) -> Snapshot:
    """Restore a snapshot to a directory that is absent or empty.

    Everything is first written to a subdirectory and compared with its checksums; the catalogue is moved last.
    LibraryError: the directory is in use, the file is no snapshot, is damaged or of a newer release, or the disk is
    full; then the directory is unchanged.
    """
    directory = directory.absolute()
    made = not directory.exists()
    _check_empty(directory)
    aside = directory / UNDER_WAY
    moved: list[Path] = []
    try:
        with writing(directory):
            aside.mkdir(parents=True)
        facts = _unpack(file, aside, step)
        with writing(directory):
            for name in (*ALLOWED, CATALOGUE):
                if (aside / name).exists():
                    os.rename(aside / name, directory / name)
                    moved.append(directory / name)
            aside.rmdir()
            flush(directory)
    except BaseException:
        for path in (aside, *moved):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if made:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return facts


def _store(directory: Path) -> Store:
    """Open the catalogue without an upgrade: a snapshot keeps the schema that the library has."""
    Library.inspect(directory).close()  # says what is wrong with the directory, if anything
    return Store(directory / CATALOGUE, read_only=True)


def _facts(copy: Path, previews: bool) -> Snapshot:
    store = Store(copy, read_only=True)
    try:
        with store.read() as c:
            meta = dict(c.execute("SELECT key, value FROM meta").fetchall())
            paths = [row["path"] for row in c.execute("SELECT path FROM videos")]
    finally:
        store.close()
    return Snapshot(
        FORMAT,
        int(meta["schema_version"]),
        datetime.now(UTC).isoformat(timespec="seconds"),
        meta["frontend"],
        meta["fingerprint"],
        int(meta["catalogue_version"]),
        len(paths),
        sum(Path(path).is_absolute() for path in paths),
        previews,
    )


def _write(out: io.BufferedIOBase, directory: Path, copy: Path, facts: Snapshot, step: Callable[[str], None]) -> None:
    sums: dict[str, str] = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add_bytes(tar, FACTS, json.dumps(asdict(facts), indent=1).encode(), sums)
        for name, path in [(CATALOGUE, copy), *_files(directory, facts.previews)]:
            try:
                content = path.open("rb")
            except FileNotFoundError:  # its video was deleted while this was written
                continue
            with content:
                _add(tar, name, content, os.fstat(content.fileno()).st_size, sums)
            step(name)
        _add_bytes(tar, MANIFEST, json.dumps(sums, indent=1).encode(), {})


def _files(directory: Path, previews: bool) -> Iterator[tuple[str, Path]]:
    """Yield the names and paths of the files to keep. The catalogue was copied before, so the files it names exist."""
    for folder in ALLOWED if previews else KEPT:
        for path in sorted((directory / folder).rglob("*")):
            if path.is_file() and path.suffix != ".partial":
                yield path.relative_to(directory).as_posix(), path


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes, sums: dict[str, str]) -> None:
    _add(tar, name, io.BytesIO(content), len(content), sums)


def _add(tar: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int, sums: dict[str, str]) -> None:
    """Add the first `size` bytes of a file: an upload that is being received may grow."""
    info, hashed = tarfile.TarInfo(name), _Hashed(content)
    info.size = size
    tar.addfile(info, hashed)  # type: ignore[arg-type]
    sums[name] = hashed.digest.hexdigest()


class _Hashed:
    """Read from a file and hash what was read."""

    def __init__(self, content: io.BufferedIOBase) -> None:
        self._content, self.digest = content, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        part = self._content.read(size)
        self.digest.update(part)
        return part


def _check_empty(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise LibraryError(f"{directory}, a file, given, an absent or empty directory expected: choose another")
    there = sorted(p.name for p in directory.iterdir() if p.name != "lost+found") if directory.exists() else []
    if there:
        raise LibraryError(
            f"{directory} given, an absent or empty directory expected, it holds {', '.join(there[:3])}: choose "
            "another or move what is there away"
        )


def _unpack(file: Path, aside: Path, step: Callable[[str], None]) -> Snapshot:
    """Write the members of a snapshot to a directory; when this returns, their checksums were right."""
    try:
        with tarfile.open(file, "r:") as tar:
            return _unpack_members(tar, aside, step)
    except OSError as error:
        raise LibraryError(f"{file} given, a readable snapshot expected ({error}): check the path") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise LibraryError(
            f"{file} given, a whole snapshot expected ({error}): it is cut off, damaged or none, take another"
        ) from error


def _unpack_members(tar: tarfile.TarFile, aside: Path, step: Callable[[str], None]) -> Snapshot:
    facts: Snapshot | None = None
    manifest: dict[str, str] | None = None
    sums: dict[str, str] = {}
    for member in tar:
        name = _checked_name(member)
        if manifest is not None or name in sums or (facts is None) != (name == FACTS):
            raise ValueError(f"{name} is where it should not be")
        if name == MANIFEST:
            manifest = json.loads(_small(tar, member)[0])
        elif name == FACTS:
            content, sums[name] = _small(tar, member)
            facts = _checked_facts(json.loads(content))
        else:
            sums[name] = _extract(tar, member, aside / name)
            step(name)
    if facts is None or manifest is None or CATALOGUE not in sums:
        raise ValueError("its end is missing")
    wrong = sorted(n for n in {*sums, *manifest} if sums.get(n) != manifest.get(n))
    if wrong:
        raise ValueError(f"checksums differ: {', '.join(wrong[:3])}")
    return facts


def _checked_name(member: tarfile.TarInfo) -> str:
    """Return a member's name if it is a plain file that belongs into a library."""
    path = PurePosixPath(member.name)
    top = (FACTS, MANIFEST, CATALOGUE)
    inside = member.name in top or (len(path.parts) > 1 and path.parts[0] in ALLOWED)
    if member.type != tarfile.REGTYPE or member.issparse():
        raise ValueError(f"{member.name!r} is no plain file")
    if not inside or ".." in path.parts or str(path) != member.name or "\0" in member.name:
        raise ValueError(f"{member.name!r} does not belong into a library")
    return member.name


def _checked_facts(values: dict[str, Any]) -> Snapshot:
    if values["format"] > FORMAT or values["schema_version"] > newest():
        raise LibraryError(
            f"a snapshot of format {values['format']} and schema {values['schema_version']} given, at most {FORMAT} "
            f"and {newest()} expected: it was taken by a newer release, upgrade Echolens"
        )
    return Snapshot(**values)


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[bytes, str]:
    content = tar.extractfile(member)
    assert content is not None
    read = content.read()
    return read, hashlib.sha256(read).hexdigest()


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    content, digest = tar.extractfile(member), hashlib.sha256()
    assert content is not None
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while part := content.read(CHUNK):
                digest.update(part)
                out.write(part)
            out.flush()
            os.fsync(out.fileno())
    return digest.hexdigest()
