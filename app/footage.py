"""The features of a library's footage: kept as they were computed at ingest, made again where they are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from app.previews import checked_original
from app.session import Session
from index.catalogue import Video
from index.disk import writing
from model.corpus import Annotation, Corpus
from model.errors import EmptyLibrary, LibraryError, MediaError, NotFound
from model.features import Features
from model.frontends.frontend import FrontEnd
from model.media import FOOTAGE, Limits, open_medium
from model.segments import Segment

log = logging.getLogger("echolens")
CHUNK_S = 4


def read_features(
    path: Path, front_end: FrontEnd, limits: Limits, each: Callable[[Segment], None] = lambda _: None
) -> Features:
    """Decode a recording and return its features; no more than four frames are held at a time.

    `each` sees every segment on its way (for previews). Raises MediaError.
    """
    segments = open_medium(path, limits).segments()
    parts = []
    while chunk := list(islice(segments, CHUNK_S)):
        for segment in chunk:
            each(segment)
        parts.append(front_end.features(chunk))
    return Features(*(np.concatenate([getattr(p, n) for p in parts]) for n in Features.__dataclass_fields__))


def features_of(session: Session, video: Video) -> Features:
    """Return the features of a video of the library, from the cache or from its file.

    Raises NotFound if both are gone, or the file has other content than the one that was ingested; LibraryError where
    they cannot be kept.
    """
    cached = session.library.features_path(video.sha256, session.front_end.identity)
    try:
        return Features.load(cached)
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):  # absent, or cut off by a power failure
        made = read_features(checked_original(session.library, video.video_id), session.front_end, FOOTAGE)
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


def all_videos(session: Session) -> Iterator[Video]:
    """Yield the library's videos in the order they were added."""
    yield from session.library.catalogue.every_video()


def annotation_of(video: Video) -> Annotation:
    """Return a video's label and event."""
    return Annotation(video.video_id, video.label, video.event_start_s, video.event_end_s)


def all_features(session: Session) -> Iterator[tuple[Video, Features]]:
    """Yield each video with its features; one whose features and file are both gone is left out, with a warning."""
    for video in all_videos(session):
        try:
            yield video, features_of(session, video)
        except (NotFound, MediaError) as error:
            log.warning("%s is left out: %s", video.file_name, error)


def corpus_of(session: Session, progress: Callable[[int], None] = lambda _: None) -> Corpus:
    """Return all features of a library. Raises EmptyLibrary."""
    videos: list[tuple[Annotation, Features]] = []
    for video, features in all_features(session):
        videos.append((annotation_of(video), features))
        progress(len(videos))
    if not videos:
        raise EmptyLibrary("the library holds no footage; add some with: echolens ingest PATH --library DIR")
    return Corpus.assemble(videos)
