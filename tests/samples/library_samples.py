"""Libraries in states that tests begin from: of the first release, small, served by another model."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from catalogue_samples import ingest
from latent_samples import clustered_latents

from app.library.default_model import DEFAULT_MODEL
from app.library.model_swap import reencode
from app.library.session import Session
from index.library import Library
from index.snapshot import take
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.match import Match

VIDEO_ID = "0123456789abcdef"
# The catalogue as release 0.1.0 wrote it.
FIRST_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE videos (
    position INTEGER PRIMARY KEY AUTOINCREMENT, video_id TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL, file_name TEXT NOT NULL, media_type TEXT NOT NULL, duration_s REAL NOT NULL,
    uploaded INTEGER NOT NULL, label TEXT, event_start_s REAL, event_end_s REAL, added_at TEXT NOT NULL);
CREATE TABLE segments (
    segment_id INTEGER PRIMARY KEY AUTOINCREMENT,
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    start_s INTEGER NOT NULL, heard INTEGER NOT NULL, seen INTEGER NOT NULL, UNIQUE (video_id, start_s));
CREATE TABLE latents (
    generation INTEGER NOT NULL, modality TEXT NOT NULL CHECK (modality IN ('audio', 'visual')),
    segment_id INTEGER NOT NULL REFERENCES segments (segment_id) ON DELETE CASCADE,
    mu BLOB NOT NULL, sigma BLOB NOT NULL, generated BLOB NOT NULL, PRIMARY KEY (generation, modality, segment_id));
CREATE INDEX latents_of_segment ON latents (segment_id);
CREATE TABLE failures (path TEXT PRIMARY KEY, code TEXT NOT NULL, detail TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE jobs (
    position INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
    payload TEXT NOT NULL, result TEXT NOT NULL);
INSERT INTO meta VALUES ('catalogue_version', '3'), ('generation', '0'), ('frontend', 'raw'), ('fingerprint', 'abc'),
    ('schema_version', '1');
INSERT INTO segments VALUES (7, '0123456789abcdef', 0, 1, 0);
"""


def first_release(path: Path) -> np.ndarray:
    """Write a library of schema version 1 with one video of one second; return its mu."""
    latents = clustered_latents(1)
    c = sqlite3.connect(path)
    c.execute("PRAGMA journal_mode = WAL")
    c.executescript(FIRST_SCHEMA)
    row = (VIDEO_ID, VIDEO_ID * 4, "/a.wav", "a.wav", "audio/wav", 1.0, 0, "dog", 0.0, 1.0, "2026-01-01")
    c.execute("INSERT INTO videos VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    blobs = [a.tobytes() for a in (latents.mu, latents.sigma, latents.generated)]
    c.execute("INSERT INTO latents VALUES (0, 'audio', 7, ?, ?, ?)", blobs)
    c.commit()
    c.close()
    return latents.mu


def small_snapshot(directory: Path) -> Path:
    """Make a library of two videos with a checkpoint and an upload of a few bytes, and return its snapshot."""
    with Library.open(directory / "small") as library:
        library.catalogue.set_identity("raw", "abc")
        for number in range(2):
            ingest(library.catalogue, number)
        (library.checkpoints / "a.json").write_text("{}")
        (library.media / "upload-ä").write_bytes(b"sound")
        (library.cache / "x").write_text("cache")
        (library.previews / "x").write_text("preview")
    take(directory / "small", directory / "small.tar")
    return directory / "small.tar"


def other_checkpoint(directory: Path) -> Path:
    """Save a checkpoint of the `raw` front-end whose weights differ from the shipped one's; no suffix."""
    checkpoint = Checkpoint.load(DEFAULT_MODEL)
    with torch.no_grad():
        for parameter in checkpoint.model.parameters():
            parameter.mul_(1.01)
    path = directory / "other.v2"
    replace(checkpoint, stored=None, training={}).save(path)
    return path


def calibrated_checkpoint(directory: Path, certain_within: float) -> Path:
    """Save the shipped checkpoint with a match of 1 / (1 + exp(distance - certain_within)); no suffix."""
    every = [f"{query}-{target}" for query in MODALITIES for target in MODALITIES]
    match = Match(dict.fromkeys(every, (certain_within, -1.0, 0.0, 0.0)), dict.fromkeys(every, (-1.0, 0.3)))
    path = directory / "calibrated"
    replace(Checkpoint.load(DEFAULT_MODEL), stored=None, match=match).save(path)
    return path


def calibrated(pristine: Path, directory: Path, certain_within: float) -> Path:
    """Copy the library and let a calibrated model encode it."""
    return encoded_by(calibrated_checkpoint(directory, certain_within), pristine, directory)


def encoded_by(checkpoint: Path, pristine: Path, directory: Path) -> Path:
    """Copy the library and let a model encode it."""
    library = Path(shutil.copytree(pristine, directory / "library"))
    with Session.open(library, torch.device("cpu"), create=False) as session:
        reencode(session, checkpoint, leave_out=False)
    return library


def state(library: Path) -> tuple[str | None, int, bytes]:
    """Return what serves: the fingerprint, the catalogue's version and the latents' bytes."""
    with Library.open(library, create=False) as opened:
        c = opened.catalogue
        latents = b"".join(c.latents(m).latents.mu.tobytes() for m in ("audio", "visual"))  # type: ignore[arg-type]
        return c.fingerprint, c.catalogue_version, latents


def files_below(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}
