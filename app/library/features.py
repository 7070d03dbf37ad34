"""The features of a library's footage: kept as they were computed at ingest, made again where they are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from app.library.session import Session
from app.media.footage import decode_part
from app.media.previews import Previews, checked_original
from index.disk import writing
from index.records import Video
from model.data.corpus import Annotation, Corpus
from model.data.feature_parts import FeatureParts, part_stop_s
from model.data.features import UNREADABLE, Features
from model.errors import EmptyLibrary, LibraryError, MediaError, NotFound
from model.frontends.frontend import FrontEnd
from model.media.medium import DECODING, FOOTAGE

log = logging.getLogger("echolens")
ACCEPTED = replace(FOOTAGE, most_loss=1.0)  # however much is lost of it: that was judged when it was taken in


def features_of(session: Session, video: Video, front_end: FrontEnd | None = None) -> Features:
    """Return the features of a video by a front-end, by default the library's, from the cache or from its file.

    They are held as a whole. Raises as `feature_parts`.
    """
    front_end = front_end or session.front_end
    parts = feature_parts(session, video, front_end)
    return Features.joined([front_end.features(()), *committed(session, video, parts)])


def feature_parts(session: Session, video: Video, front_end: FrontEnd) -> FeatureParts:
    """Return the parts of a video's features by a front-end, made anew from its file where they are not there.

    Raises NotFound if both are gone, or the file has other content than the one that was ingested; LibraryError where
    they cannot be kept.
    """
    parts = FeatureParts(session.library.features_path(video.sha256, front_end.identity))
    if not _are_there(session, video, parts):
        _make(session, video, front_end, parts)
    return parts


def kept_stretch(session: Session, video: Video, identity: str, stretch: range) -> Features | None:
    """Return what is kept of the features of a stretch by the front-end of this identity, None where nothing is."""
    parts = FeatureParts(session.library.features_path(video.sha256, identity))
    try:
        return parts.between(stretch.start, stretch.stop)
    except UNREADABLE:  # cut off by a power failure
        return None


def committed(session: Session, video: Video, parts: Iterable[Features]) -> Iterator[Features]:
    """Yield of parts the seconds that the catalogue knows.

    Of a video that is being taken in more may be there; rules that are newer than a video may give it other seconds.
    """
    if video.complete and video.decoding == DECODING:
        yield from parts
        return
    known = session.library.catalogue.starts_of(video.video_id)
    for part in parts:
        if (chosen := np.isin(part.start_s, known)).any():
            yield part.rows(chosen)


def keep_part(parts: FeatureParts, start_s: int, features: Features) -> None:
    """Write a part to its place in the cache, whole or not at all. Raises LibraryError, as on a full disk."""
    path = parts.path(start_s)
    try:
        with writing(path):
            parts.keep(start_s, features)
    except LibraryError:
        for partial in path.parent.glob(f"{path.stem}.*.partial"):
            partial.unlink(missing_ok=True)
        raise


def _are_there(session: Session, video: Video, parts: FeatureParts) -> bool:
    """Say whether every second of a video has features; of one that older rules decoded, whether there are any."""
    try:
        seconds = np.concatenate([np.empty(0, np.int64), *(part.start_s for part in parts)])
    except UNREADABLE:  # cut off by a power failure
        return False
    if video.decoding != DECODING:
        return len(seconds) > 0
    return bool(np.isin(session.library.catalogue.starts_of(video.video_id), seconds).all())


def _make(session: Session, video: Video, front_end: FrontEnd, parts: FeatureParts) -> None:
    original, previews = checked_original(session.library, video.video_id), Previews(session.library, video.video_id)
    decoder, end_s = session.footage_decoder_of(front_end.name), session.library.catalogue.end_s(video.video_id)
    start_s, made, ended = 0, list[int](), False
    while not ended and (video.complete or start_s < end_s):
        stop_s, track = part_stop_s(start_s), video.audio_track
        part = decoder.submit(decode_part, original, ACCEPTED, previews.directory, start_s, stop_s, track).result()
        keep_part(parts, start_s, part.features)
        made.append(start_s)
        start_s, ended = stop_s, part.ended
    parts.remove(kept=made)


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
