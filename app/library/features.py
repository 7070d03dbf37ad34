"""The features of a library's footage: kept as they were computed at ingest, made again where they are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from app.library.session import Session
from app.media.decoding import decode_footage
from app.media.previews import Previews, checked_original
from index.disk import writing
from index.records import Video
from model.data.corpus import Annotation, Corpus
from model.data.features import UNREADABLE, Features
from model.errors import EmptyLibrary, LibraryError, MediaError, NotFound
from model.frontends.frontend import FrontEnd
from model.media.medium import FOOTAGE

log = logging.getLogger("echolens")


def features_of(session: Session, video: Video, front_end: FrontEnd | None = None) -> Features:
    """Return the features of a video by a front-end, by default the library's, from the cache or from its file.

    Raises NotFound if both are gone, or the file has other content than the one that was ingested; LibraryError where
    they cannot be kept.
    """
    front_end = front_end or session.front_end
    cached = session.library.features_path(video.sha256, front_end.identity)
    try:
        return Features.load(cached)
    except UNREADABLE:  # absent, or cut off by a power failure
        original, previews = (
            checked_original(session.library, video.video_id),
            Previews(session.library, video.video_id),
        )
        decoder = session.footage_decoder_of(front_end.name)
        made = decoder.submit(decode_footage, original, FOOTAGE, previews.directory).result()
        keep_features(made, cached)
    return Features.load(cached)


def keep_features(features: Features, path: Path) -> None:
    """Write features to their place in the cache, whole or not at all. Raises LibraryError, as on a full disk."""
    try:
        with writing(path):
            features.save(path)
    except LibraryError:
        for partial in path.parent.glob(f"{path.stem}.*.partial"):
            partial.unlink(missing_ok=True)
        raise


def annotation_of(video: Video) -> Annotation:
    """Return a video's label and event."""
    return Annotation(video.video_id, video.label, video.event_start_s, video.event_end_s)


def all_features(
    session: Session, front_end: FrontEnd, among: frozenset[str] | None = None
) -> Iterator[tuple[Video, Features]]:
    """Yield each video with its features; one whose features and file are both gone is left out, with a warning."""
    for video in session.library.catalogue.every_video():
        if among is not None and video.video_id not in among:
            continue
        try:
            yield video, features_of(session, video, front_end)
        except (NotFound, MediaError) as error:
            log.warning("%s is left out: %s", video.file_name, error)


def footage_front_end(session: Session) -> FrontEnd:
    """Return the front-end of a library that holds footage. Raises EmptyLibrary, FrontEndError."""
    if session.library.catalogue.is_empty:
        raise _no_footage()
    return session.front_end


def corpus_of(
    session: Session,
    progress: Callable[[int], None] = lambda _: None,
    among: frozenset[str] | None = None,
    front_end: FrontEnd | None = None,
) -> Corpus:
    """Return all features of a library, or of the videos `among` these ids; raises EmptyLibrary.

    `front_end`: whose features, by default the library's, which another process may change meanwhile.
    """
    videos: list[tuple[Annotation, Features]] = []
    for video, features in all_features(session, front_end or footage_front_end(session), among):
        videos.append((annotation_of(video), features))
        progress(len(videos))
    if not videos:
        raise _no_footage()
    return Corpus.assemble(videos)


def _no_footage() -> EmptyLibrary:
    return EmptyLibrary("the library holds no footage; add some with: echolens ingest PATH --library DIR")
