"""Ingest: footage into a library. It can be stopped and resumed; a bad file is recorded and skipped."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from app.library.features import keep_features
from app.library.session import Session
from app.media.decoding import Facts, decode_footage, inspect
from app.media.previews import Previews
from app.processes.ahead import ahead
from index.records import Failure, LatentBatch, Video
from model.data.corpus import Annotation
from model.data.features import Features
from model.errors import EmptyLibrary, LibraryError, MediaError, NotAMedium, UntrainedLibrary
from model.frontends.prior import Prior
from model.media.medium import DECODING, Limits
from model.modality import Modality
from model.network.encoder import Encoder

MOST_THREADS = 4
# Footage that registries of types, where a machine has one, call an application, a text or a 3-D model.
MISNAMED = (".ts", ".mts", ".mxf", ".asf", ".ogx", ".rm")


@dataclass(frozen=True)
class Source:
    """Name a file to ingest; `uploaded` files belong to the library and go with their video.

    `audio_track`: which of its sound tracks to take, counted from 1; None for the default.
    """

    path: Path
    file_name: str
    annotation: Annotation | None = None
    uploaded: bool = False
    audio_track: int | None = None


@dataclass(frozen=True)
class Outcome:
    """Say what became of a file; `code` and `detail` tell why it failed, `note` what it lacks."""

    path: Path
    state: Literal["added", "known", "failed"]
    video_id: str | None = None
    code: str | None = None
    detail: str | None = None
    note: str | None = None


@dataclass(frozen=True, eq=False)
class _Decoded:
    video: Video
    features: Features
    note: str | None


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and below directories all but hidden ones and those named as documents.

    What a file is, its content decides at ingest; a name alone leaves out only texts and the like.
    """
    found: list[Path] = []
    for path in paths:
        if os.path.isdir(path):  # False for a name that is too long: opening it says so
            found += sorted(p for p in path.rglob("*") if p.is_file() and _may_be_medium(p.relative_to(path)))
        else:
            found.append(path)
    return [Path(os.path.abspath(p)) for p in found]


def ingest(
    session: Session,
    sources: Iterable[Source],
    limits: Limits,
    done: Callable[[Outcome], None] = lambda _: None,
    decoders: int = MOST_THREADS,
) -> list[Outcome]:
    """Add files to the library, each in one transaction, in order; returns what became of each.

    Raises:
        LibraryBusy: another process writes to the library. Mismatch: its checkpoint cannot be used.
        FrontEndError: its front-end's weights are absent.
        LibraryError: it cannot be written to, as on a full disk; what came before is in, of that file nothing.
    """
    outcomes = []
    with session.library.writer(), ThreadPoolExecutor(max(1, min(decoders, os.cpu_count() or 1))) as pool:
        session.begin()  # where the front-end's weights were absent when the library was opened
        encoder = _encoder(session)  # under the lock: no other model can be swapped in meanwhile
        for source, future in ahead(pool, lambda source: _decode(session, source, limits), sources, decoders):
            outcomes.append(_finish(session, encoder, source, future))
            done(outcomes[-1])
    return outcomes


def _encoder(session: Session) -> Encoder | None:
    """Return the library's model; an untrained library takes in features alone, `train` encodes them."""
    try:
        return session.encoder
    except (EmptyLibrary, UntrainedLibrary):
        return None


def _decode(session: Session, source: Source, limits: Limits) -> _Decoded | Video:
    """Return a file's features, or the video that is in the library already."""
    if _printable(source.path) != str(source.path):
        raise NotAMedium(f"the name {_printable(source.path)} is not in UTF-8, which is expected: rename the file")
    decoder = session.footage_decoder
    facts = decoder.submit(inspect, source.path, limits, source.audio_track).result()
    known = session.library.catalogue.find_by_sha256(facts.sha256)
    if known is not None:
        return known
    video_id = facts.sha256[:16]
    previews = Previews(session.library, video_id)
    try:
        features = decoder.submit(decode_footage, source.path, limits, previews.directory, source.audio_track).result()
    except BaseException:
        previews.remove()
        raise
    annotation = source.annotation or Annotation(video_id)
    return _Decoded(
        Video(
            video_id,
            facts.sha256,
            session.library.reference(source.path),
            source.file_name,
            facts.media_type,
            float(facts.declared_s or len(features.start_s)),
            source.uploaded,
            annotation.label,
            annotation.event_start_s,
            annotation.event_end_s,
            _now(),
            facts.size_bytes,
            audio_track=source.audio_track,
            decoding=DECODING,
        ),
        features,
        _note(facts, features),
    )


def _note(facts: Facts, features: Features) -> str | None:
    """Return what a file lacks for search across modalities, if anything."""
    silent, seconds = int((~features.heard).sum()), len(features.heard)
    if not facts.has_sound:
        return "no sound track: only its picture can be found"
    if silent == seconds:
        return "its sound track is silent: only its picture can be found" if facts.has_picture else "it is silent"
    if not facts.has_picture:
        return "no picture: only its sound can be found"
    return f"{silent} of {seconds} s are silent" if silent else None


def _known(session: Session, source: Source, video: Video) -> Outcome:
    """Give a video that is there already the label that came with the file, and its place if it has moved."""
    library, note = session.library, None
    if not library.locate(video.path).is_file():
        library.catalogue.relocate(video.video_id, library.reference(source.path))
        note = "it had moved: found again"
    annotation = source.annotation
    if annotation is not None and annotation.label is not None:
        given = (annotation.label, annotation.event_start_s, annotation.event_end_s)
        if given != (video.label, video.event_start_s, video.event_end_s):
            library.catalogue.update_labels(video.video_id, *given)
    return Outcome(source.path, "known", video.video_id, note=note)


def _finish(session: Session, encoder: Encoder | None, source: Source, future: Future[_Decoded | Video]) -> Outcome:
    catalogue = session.library.catalogue
    try:
        decoded = future.result()
    except MediaError as error:
        detail = str(error).replace(source.path.name, source.file_name)  # an upload lies under another name
        if not source.uploaded:  # of an upload the job says it, and its file goes
            catalogue.record_failure(Failure(_printable(source.path), error.code, detail, _now()))
        return Outcome(source.path, "failed", None, error.code, detail)
    if isinstance(decoded, Video):
        return _known(session, source, decoded)
    features = decoded.features
    rows = list(zip(features.start_s.tolist(), features.heard.tolist(), features.seen.tolist(), strict=True))
    batches = encoded(encoder, features, session.front_end.prior) if encoder else {}
    cached = session.library.features_path(decoded.video.sha256, session.front_end.identity)
    try:
        keep_features(features, cached)
        kept = catalogue.ingest(decoded.video, rows, batches.get("audio"), batches.get("visual"))
    except LibraryError:
        cached.unlink(missing_ok=True)
        Previews(session.library, decoded.video.video_id).remove()
        raise
    if kept != decoded.video:  # a copy that was decoded beside its twin is known only now
        return _known(session, source, kept)
    return Outcome(source.path, "added", kept.video_id, note=decoded.note)


def encoded(encoder: Encoder, features: Features, prior: Prior | None) -> dict[Modality, LatentBatch]:
    """Return the items by modality, of the seconds that have it, in context; with a prior each has its concepts."""
    scene = encoder.scenes(features.start_s, features.visual, features.seen)
    batches: dict[Modality, LatentBatch] = {}
    modalities: tuple[tuple[Modality, np.ndarray, np.ndarray], ...] = (
        ("audio", features.audio, features.heard),
        ("visual", features.visual, features.seen),
    )
    for modality, values, mask in modalities:
        if mask.any():
            rows = np.ascontiguousarray(values[mask])
            at = features.start_s[mask], scene[mask]
            concepts = None
            if prior is not None:
                around = encoder.checkpoint.context.average(*at, rows)
                concepts = np.rint(255 * prior.strengths(modality, around)).astype(np.uint8)
            batches[modality] = LatentBatch(at[0], encoder.in_context(modality, rows, *at), concepts)
    return batches


def _may_be_medium(relative: Path) -> bool:
    if any(part.startswith(".") for part in relative.parts):
        return False
    if relative.suffix.lower() in MISNAMED:
        return True
    guess, _ = mimetypes.guess_type(relative.name)
    return guess is None or guess.split("/")[0] in ("audio", "video", "image")


def _printable(path: Path) -> str:
    """Return a path as text; bytes of its name that are none become question marks."""
    return str(path).encode(errors="replace").decode()


def _now() -> str:
    return datetime.now(UTC).isoformat()
