"""A library's latents made anew by another model, beside those in use, and exchanged in one step."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.library.features import features_of
from app.library.ingest import encoded
from app.library.session import Session
from index.disk import flush, writing
from index.records import LatentBatch
from model.errors import LibraryError, MediaError, Mismatch, NotFound
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

log = logging.getLogger("echolens")
SUFFIXES = (".safetensors", ".json")  # the JSON last: without it there is no checkpoint


@dataclass(frozen=True)
class Reencoding:
    """Say which checkpoint served before and which does now, how many videos it encoded and which it could not."""

    before: str | None
    after: str
    videos: int
    left_out: tuple[str, ...]


def reencode(
    session: Session, checkpoint_path: Path | None, leave_out: bool, step: Callable[[], None] = lambda: None
) -> Reencoding:
    """Let another checkpoint of the same front-end serve a library; None encodes it anew with the one that serves.

    Raises:
        CheckpointError: it is absent or corrupt. Mismatch: it is of another front-end.
        LibraryError: not every video can be encoded, and none may be left out; or the disk is full.
        LibraryBusy: another process writes to the library.
    """
    with session.library.writer():
        if checkpoint_path is None:
            encoder = session.encoder
        else:
            encoder = Encoder(_of_this_front_end(session, Checkpoint.load(checkpoint_path)), session.device)
            _copy(checkpoint_path, session.library.checkpoints / encoder.fingerprint)
        return swap_in(session, encoder, leave_out, step)


def swap_in(session: Session, encoder: Encoder, leave_out: bool, step: Callable[[], None]) -> Reencoding:
    """Encode every video anew and exchange the latents; the checkpoint lies in the library, its writer lock is held.

    Readers see all old or all new latents, and when this fails the old ones stay. Raises LibraryError.
    """
    checkpoint = session.library.checkpoints / encoder.fingerprint
    with writing(checkpoint):
        for suffix in SUFFIXES:
            flush(checkpoint.with_name(checkpoint.name + suffix))
        flush(checkpoint.parent)  # the catalogue must not name a checkpoint that a power failure takes away
    before, left_out, videos = session.library.catalogue.fingerprint, list[str](), 0

    def batches() -> Iterator[tuple[str, Modality, LatentBatch]]:
        nonlocal videos
        for video in session.library.catalogue.every_video():
            try:
                features = features_of(session, video)
            except (NotFound, MediaError) as error:
                if session.library.catalogue.find_by_sha256(video.sha256) is None:  # deleted meanwhile
                    continue
                log.warning("%s is left out: %s", video.file_name, error)
                left_out.append(video.file_name)
                continue
            for modality, batch in encoded(encoder, features, session.front_end.prior).items():
                yield video.video_id, modality, batch
            videos += 1
            step()
        if left_out and not (leave_out and videos):
            raise LibraryError(
                f"{len(left_out)} of {len(left_out) + videos} videos cannot be encoded ({', '.join(left_out[:3])}): "
                "their features and files are gone, they would be found no more. Put the files back, or leave these "
                "videos out with: echolens library reencode --leave-out"
            )

    session.library.catalogue.replace_latents(encoder.fingerprint, batches())
    return Reencoding(before, encoder.fingerprint, videos, tuple(left_out))


def _of_this_front_end(session: Session, checkpoint: Checkpoint) -> Checkpoint:
    if checkpoint.front_end_identity != session.front_end.identity:
        raise Mismatch(
            f"checkpoint {checkpoint.fingerprint} of the front-end {checkpoint.front_end} "
            f"({checkpoint.front_end_identity}) given, one of {session.front_end.name} ({session.front_end.identity}) "
            "expected, whose features this library holds: choose another checkpoint, or ingest into another library"
        )
    return checkpoint


def _copy(source: Path, target: Path) -> None:
    """Copy a checkpoint's two files as they are: its fingerprint is that of their bytes."""
    stem = source.with_suffix("") if source.suffix in SUFFIXES else source
    for suffix in SUFFIXES:
        given, kept = (path.with_name(path.name + suffix) for path in (stem, target))
        if kept.exists() and kept.samefile(given):
            continue
        partial = kept.with_name(f"{kept.name}.partial")
        try:
            with writing(kept):
                shutil.copyfile(given, partial)
                os.replace(partial, kept)
        finally:
            partial.unlink(missing_ok=True)
