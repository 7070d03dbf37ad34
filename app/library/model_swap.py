"""A library's latents made anew, by another model or front-end, beside those in use, and exchanged in one step."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.library.default_model import begin
from app.library.encoding import encoded_parts
from app.library.features import committed, feature_parts
from app.library.ingest import MOST_THREADS
from app.library.session import Session
from app.processes.ahead import ahead
from app.processes.cores import usable_cores
from index.disk import flush, writing
from index.records import LatentBatch, Video
from model.data.feature_parts import FeatureParts
from model.data.features import UNREADABLE
from model.errors import EmptyLibrary, MediaError, Mismatch, NotFound, OriginalsGone, UntrainedLibrary
from model.frontends.frontend import FrontEnd
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

log = logging.getLogger("echolens")
MOST_NAMED = 20  # videos in one message
SUFFIXES = (".safetensors", ".json")  # the JSON last: without it there is no checkpoint


@dataclass(frozen=True)
class Reencoding:
    """Say which checkpoint served before and which does now, if any, and by which front-end.

    `videos`: how many were encoded. `left_out`: the names of those that could not be.
    """

    before: str | None
    after: str | None
    frontend: str
    videos: int
    left_out: tuple[str, ...]


def reencode(
    session: Session,
    checkpoint_path: Path | None,
    leave_out: bool,
    step: Callable[[], None] = lambda: None,
    front_end: str | None = None,
) -> Reencoding:
    """Let another front-end, another checkpoint or both serve a library; readers see the old until all is done.

    Without a checkpoint: the one that serves if it is of that front-end, else the front-end's first model; where that
    has none, the features are made and the library is untrained. Features that are made stay in the cache, so that a
    second run goes on where the first was stopped. `step` is called after each video; what it raises ends this.

    Raises:
        FrontEndError: the front-end's weights are absent.
        CheckpointError: it is absent or corrupt. Mismatch: it is of another front-end.
        OriginalsGone: before anything is done: videos have neither features nor a file, and none may be left out.
        LibraryError: a video cannot be encoded, and none may be left out; or the disk is full.
        LibraryBusy: another process writes to the library.
    """
    with session.library.writer():
        made = session.front_end_of(front_end or session.front_end_name)
        given = None if checkpoint_path is None else checked_front_end(Checkpoint.load(checkpoint_path), made)
        if not leave_out:
            _check_originals(session, made)
        if given is None or checkpoint_path is None:
            encoder = _own_model(session, made, front_end is not None)
        else:
            encoder = session.encoder_of(given)
            _copy(checkpoint_path, session.library.checkpoints / encoder.fingerprint)
        return swap_in(session, made, encoder, leave_out, step)


def checked_front_end(checkpoint: Checkpoint, front_end: FrontEnd) -> Checkpoint:
    """Return a checkpoint that takes a front-end's features. Raises Mismatch."""
    if checkpoint.front_end_identity != front_end.identity:
        raise Mismatch(
            f"checkpoint {checkpoint.fingerprint} of the front-end {checkpoint.front_end} "
            f"({checkpoint.front_end_identity}) given, one of {front_end.name} ({front_end.identity}) "
            "expected, whose features this library holds: choose another checkpoint or train again, or change the "
            "library's front-end with: echolens library reencode --frontend NAME"
        )
    return checkpoint


def swap_in(
    session: Session, front_end: FrontEnd, encoder: Encoder | None, leave_out: bool, step: Callable[[], None]
) -> Reencoding:
    """Encode every video anew and exchange the latents; the checkpoint lies in the library, its writer lock is held.

    Without an encoder only the features are made, and the library is untrained. Readers see all old or all new
    latents, and when this fails the old ones stay. Raises LibraryError.
    """
    catalogue = session.library.catalogue
    after = None if encoder is None else encoder.fingerprint
    if after is not None:
        _flush(session.library.checkpoints / after)
    before, left_out, videos = catalogue.fingerprint, list[str](), 0

    def holds(video: Video) -> bool:
        """Say whether it was not deleted meanwhile."""
        return catalogue.find_by_sha256(video.sha256) is not None

    def batches() -> Iterator[tuple[str, Modality, LatentBatch]]:
        nonlocal videos
        for video, made in _features_ahead(session, front_end):
            try:
                parts = made.result()
            except (NotFound, MediaError) as error:
                if not holds(video):
                    continue
                log.warning("%s is left out: %s", video.file_name, error)
                left_out.append(video.file_name)
                continue
            if not holds(video):
                continue
            found = encoded_parts(encoder, committed(session, video, parts), front_end.prior) if encoder else ()
            try:
                for modality, batch in (item for batches in found for item in batches.items()):
                    yield video.video_id, modality, batch
            except UNREADABLE:
                if holds(video):
                    raise
                continue
            videos += 1
            step()
        if left_out and not (leave_out and videos):
            raise _originals_gone(left_out, len(left_out) + videos)

    catalogue.replace_latents(after, batches(), front_end.name)
    return Reencoding(before, after, front_end.name, videos, tuple(left_out))


def _own_model(session: Session, front_end: FrontEnd, may_begin: bool) -> Encoder | None:
    """Return the model that serves, or where it is none of this front-end's the first one that it has, if any."""
    try:
        if front_end.name == session.front_end_name:
            return session.encoder
    except (EmptyLibrary, UntrainedLibrary, Mismatch):
        if not may_begin:
            raise
    fingerprint = begin(session.library, front_end)
    if fingerprint is None:
        return None
    return session.encoder_of(Checkpoint.load(session.library.checkpoints / fingerprint))


def _check_originals(session: Session, front_end: FrontEnd) -> None:
    """Refuse where a video has neither features of a front-end nor a file of its size."""
    library, gone, videos = session.library, list[str](), 0
    for video in library.catalogue.every_video():
        videos += 1
        original = library.locate(video.path)
        is_there = original.is_file() and video.size_bytes in (None, original.stat().st_size)
        if not is_there and not library.features_path(video.sha256, front_end.identity).is_file():
            gone.append(video.file_name)
    if gone:
        raise _originals_gone(gone, videos)


def _originals_gone(file_names: Sequence[str], of: int) -> OriginalsGone:
    shown = ", ".join(file_names[:MOST_NAMED])
    more = f" and {len(file_names) - MOST_NAMED} more" if len(file_names) > MOST_NAMED else ""
    return OriginalsGone(
        f"{len(file_names)} of {of} videos cannot be encoded ({shown}{more}): their features are not there, and their "
        "files are gone or replaced, so that they would be found no more. Put the files back, or ingest them from "
        "where they are now; or leave these videos out with: echolens library reencode --leave-out",
        tuple(file_names),
    )


def _features_ahead(session: Session, front_end: FrontEnd) -> Iterator[tuple[Video, Future[FeatureParts]]]:
    """Yield every video with its features, of which a few videos' are made ahead."""
    most = min(MOST_THREADS, usable_cores())
    with ThreadPoolExecutor(most) as pool:
        yield from ahead(
            pool, lambda video: feature_parts(session, video, front_end), session.library.catalogue.every_video(), most
        )


def _flush(checkpoint: Path) -> None:
    """Have a checkpoint on the disk: the catalogue must not name one that a power failure takes away."""
    with writing(checkpoint):
        for suffix in SUFFIXES:
            flush(checkpoint.with_name(checkpoint.name + suffix))
        flush(checkpoint.parent)


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
