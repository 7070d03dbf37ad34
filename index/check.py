"""Check a library: read the catalogue and the files beside it, and change nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from index.job_state import JobState
from index.library import CATALOGUE, Library
from index.migrations import newest, schema_version
from index.records import Video
from index.rows import FLOAT32, generation, meta
from index.store import Store
from model.errors import LibraryError
from model.modality import Modality

# States of jobs that need their upload, or may need it again.
HOLDING: tuple[JobState, ...] = ("queued", "running", "failed")
NAMED = 3  # how many items a sentence names
MASKS: dict[Modality, str] = {"audio": "heard", "visual": "seen"}


@dataclass(frozen=True)
class Finding:
    """Say what was found: a `fault` needs repair, a `remark` does not.

    `code` is stable, `detail` a sentence with what to do, `items` what it is about, such as paths.
    """

    code: str
    severity: Literal["fault", "remark"]
    detail: str
    items: tuple[str, ...] = ()


def named(items: Iterable[str]) -> str:
    """Return how many items there are and the first few of them, for a sentence."""
    found = list(items)
    more = ", ..." if len(found) > NAMED else ""
    return f"{len(found)} ({', '.join(found[:NAMED])}{more})"


def check_catalogue(directory: Path) -> Iterator[Finding]:
    """Yield what is wrong with a library's catalogue: the file, its references, its latents.

    Ends early where nothing further can be read. Raises LibraryError if it is no catalogue at all.
    """
    store = Store(directory / CATALOGUE, read_only=True)
    try:
        damage = _damage(store)
        if damage:
            yield Finding(
                "damaged", "fault", f"The catalogue is damaged: {named(damage)}. Restore a snapshot.", tuple(damage)
            )
            return
        with store.read() as c:
            yield from _broken_references(c)
            if schema_version(c) == newest():
                yield from _latents(c)
            else:
                yield Finding(
                    "old_schema",
                    "remark",
                    f"The catalogue has schema version {schema_version(c)}, this release writes {newest()}: its "
                    "latents and files can be checked once it was upgraded, as opening does: echolens library stats.",
                )
    finally:
        store.close()


def _damage(store: Store) -> list[str]:
    """Return what SQLite finds wrong with the file."""
    try:
        with store.read() as c:
            found = [line for row in c.execute("PRAGMA integrity_check") for line in str(row[0]).splitlines()]
    except LibraryError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _broken_references(c: sqlite3.Connection) -> Iterator[Finding]:
    broken = Counter(f"{row['table']} -> {row['parent']}" for row in c.execute("PRAGMA foreign_key_check"))
    if broken:
        items = tuple(f"{count} x {names}" for names, count in broken.items())
        yield Finding(
            "broken_references",
            "fault",
            f"Rows refer to rows that are gone: {named(items)}. Restore a snapshot.",
            items,
        )


def _latents(c: sqlite3.Connection) -> Iterator[Finding]:
    unused = c.execute("SELECT count(*) FROM latents WHERE generation != ?", (generation(c),)).fetchone()[0]
    if unused:
        yield Finding(
            "unused_latents",
            "remark",
            f"{unused} latents belong to a model that does not serve: one that is being swapped in right now, or a "
            "swap that was cut off. The next training or re-encoding removes them.",
        )
    broken = _broken_latents(c)
    if broken:
        yield Finding(
            "broken_latents",
            "fault",
            f"Latents of another width than the others, or with numbers that are not finite: {named(broken)}. "
            "Write them anew with: echolens library reencode",
            tuple(broken),
        )
    for modality, mask in MASKS.items():
        yield from _missing_latents(c, modality, mask)


def _broken_latents(c: sqlite3.Connection) -> list[str]:
    """Return the seconds whose latents differ in width from most, or are not finite."""
    lengths = "length(mu), length(sigma), length(generated)"
    usual = c.execute(
        f"SELECT {lengths} FROM latents WHERE generation = ? GROUP BY 1, 2, 3 ORDER BY count(*) DESC LIMIT 1",
        (generation(c),),
    ).fetchone()
    if usual is None:
        return []
    width, broken = tuple(usual), list[str]()
    concepts = c.execute(
        "SELECT length(concepts) FROM latents WHERE generation = ? AND concepts IS NOT NULL "
        "GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
        (generation(c),),
    ).fetchone()
    query = (
        "SELECT file_name, start_s, modality, length(concepts) AS named, mu, sigma, generated "
        "FROM latents JOIN segments USING (segment_id) JOIN videos USING (video_id) WHERE generation = ?"
    )
    for row in c.execute(query, (generation(c),)):
        blobs = tuple(row)[4:]
        lengths_here = tuple(len(blob) for blob in blobs)
        sound = lengths_here == width and lengths_here[0] == lengths_here[1] and not any(n % 4 for n in width)
        sound = sound and (row["named"] is None or row["named"] == concepts[0])
        if not sound or not all(np.isfinite(np.frombuffer(blob, FLOAT32)).all() for blob in blobs):
            broken.append(f"{row['file_name']} at {row['start_s']} s, {row['modality']}")
    return broken


def _missing_latents(c: sqlite3.Connection, modality: Modality, mask: str) -> Iterator[Finding]:
    query = (
        f"SELECT file_name, count(*) AS seconds FROM segments JOIN videos USING (video_id) WHERE {mask} AND NOT EXISTS "
        "(SELECT 1 FROM latents WHERE generation = ? AND modality = ? AND latents.segment_id = segments.segment_id) "
        "GROUP BY video_id ORDER BY position"
    )
    rows = c.execute(query, (generation(c), modality)).fetchall()
    if not rows:
        return
    seconds, videos = sum(row["seconds"] for row in rows), [row["file_name"] for row in rows]
    text = (
        f"{seconds} seconds have {modality} features but no latents, in videos: {named(videos)}. They are not found. "
    )
    if meta(c, "fingerprint") is None:
        remedy = "Learn from them with: echolens train --library DIR"
        yield Finding("not_encoded", "remark", text + remedy, tuple(videos))
    else:
        remedy = "Encode them with: echolens library reencode --library DIR"
        yield Finding("not_encoded", "fault", text + remedy, tuple(videos))


def check_media(library: Library, content: bool, step: Callable[[], None] = lambda: None) -> Iterator[Finding]:
    """Yield which videos' files are missing or changed: by size, or with `content` by SHA-256 of the whole file."""
    gone, changed = [], []
    for video in library.catalogue.every_video():
        path = library.locate(video.path)
        try:
            if not path.is_file():
                gone += [] if video.missing else [str(path)]  # of one that is marked it is known
            elif not video.missing and _has_changed(video, path, content):
                changed.append(str(path))
        except OSError as error:
            gone.append(f"{path}: {error.strerror}")
        step()
    if gone:
        yield Finding(
            "missing_media",
            "fault",
            f"Files of videos are gone: {named(gone)}. Their seconds are still found, but cannot be shown or encoded "
            "anew once previews and cache are gone too. Put them back, or ingest them from where they are now.",
            tuple(gone),
        )
    if changed:
        yield Finding(
            "changed_media",
            "fault",
            f"Files have other content than was ingested: {named(changed)}. Ingest them, and the new content takes "
            "the place of the old; or put the originals back.",
            tuple(changed),
        )


def _has_changed(video: Video, path: Path, content: bool) -> bool:
    if video.size_bytes is not None and path.stat().st_size != video.size_bytes:
        return True
    if not content:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() != video.sha256


def check_orphans(library: Library) -> Iterator[Finding]:
    """Yield which files of the library belong to no video: uploads, previews, features, and partial files."""
    found = [  # listed before the catalogue is read: files that come later are not judged
        *(path for path in library.media.rglob("*") if path.is_file()),
        *library.previews.glob("*"),
        *library.cache.glob("features/*/*"),
        *library.checkpoints.glob("*.partial"),
    ]
    media, ids, contents = set(), set(), set()
    for video in library.catalogue.every_video():
        media.add(library.locate(video.path))
        ids.add(library.previews / video.video_id)
        contents.add(video.sha256)
    waiting = [job.payload.get("path") for state in HOLDING for job in library.catalogue.queue.jobs(state)]
    media |= {library.locate(path) for path in waiting if path}

    def belongs(path: Path) -> bool:
        return path in media or path in ids or (path.suffix == ".npz" and path.name.split(".")[0] in contents)

    orphans = [str(path.relative_to(library.directory)) for path in found if not belongs(path) and path.exists()]
    if orphans:
        yield Finding(
            "orphans",
            "remark",
            f"Files belong to no video: {named(orphans)}. They are of footage that is being taken in right now, or was "
            "left when that was cut off; while nothing writes they can be deleted.",
            tuple(orphans),
        )


def is_sound(findings: Iterable[Finding]) -> bool:
    """Say whether nothing needs repair."""
    return all(finding.severity != "fault" for finding in findings)
