"""/videos/{id}: how a stretch of a video sounds and looks: an excerpt, its peaks, a filmstrip, a poster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from app.http.answers import written
from app.http.etags import PREVIEW, tag, unchanged
from app.http.headers import ORIGINAL_POLICY, POLICY
from app.http.openapi import UNCHANGED, binary
from app.http.route_table import needs
from app.media import excerpts, peaks
from app.media.filmstrip import draw_filmstrip
from app.media.previews import Previews, checked_original, same_original
from app.schemas.footage import ExcerptQuery, FilmstripQuery, PeaksAnswer, PeaksQuery, PosterQuery
from app.service import Current, Service
from index.records import Video
from model.errors import MediaError, NoPicture, NotFound, QueryError, TookTooLong
from model.media.excerpts import MEDIA_TYPES, Format

router = APIRouter(prefix="/videos", tags=["library"])
MOST_EXCERPT_S, LEAST_EXCERPT_S = 120, 0.1
MOST_PEAKS = 20_000
EXCERPT = binary("video/mp4", "audio/wav", statuses=(200, 206)) | UNCHANGED
PICTURE = binary("image/jpeg") | UNCHANGED


@router.head("/{video_id}/excerpt", response_class=FileResponse, responses=EXCERPT, name="head_excerpt")
@router.get("/{video_id}/excerpt", response_class=FileResponse, responses=EXCERPT)
@needs("read", cost="question")
def get_excerpt(service: Current, request: Request, video_id: str, asked: Annotated[ExcerptQuery, Query()]) -> Response:
    """Send an exact cut that every browser plays: H.264 and AAC in MP4, or WAV of what is only heard."""
    library = service.session.library
    video = library.catalogue.video(video_id)
    start_s, end_s = _stretch(video, asked)
    original = same_original(library, video_id)
    start_ms, end_ms = round(1000 * start_s), round(1000 * end_s)
    etag = tag(video.sha256, video.decoding, video.audio_track, start_ms, end_ms, excerpts.VERSION)
    if answer := unchanged(request, etag, PREVIEW):
        return answer

    def write(target: Path) -> Format:
        return _decoded(service, video, original, start_s, end_s, target)

    path, kind = service.excerpts.get(video, start_ms, end_ms, write)
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[kind],
        filename=f"{Path(video.file_name).stem} {_clock(start_s)}-{_clock(end_s)}.{kind}",
        content_disposition_type="inline",
        headers={POLICY: ORIGINAL_POLICY, "ETag": etag, **PREVIEW},
    )


@router.get("/{video_id}/peaks", response_model=PeaksAnswer)
@needs("read")
def get_peaks(service: Current, video_id: str, asked: Annotated[PeaksQuery, Query()]) -> Response:
    """Tell how loud a stretch is, for a waveform: a day in as many peaks as a screen has pixels."""
    library = service.session.library
    video = library.catalogue.video(video_id)
    length_s = _length_s(video, asked.start_s, asked.length_s)
    if length_s * asked.per_s > MOST_PEAKS:
        raise QueryError(
            f"{length_s:g} s with {asked.per_s:g} peaks a second given, at most {MOST_PEAKS} peaks expected: ask for "
            "fewer a second, or for a shorter stretch"
        )
    first, stop = int(asked.start_s), int(-(-(asked.start_s + length_s) // 1))
    directory = Previews(library, video_id).directory
    heard = library.catalogue.seconds_with(video_id, "audio", first, stop)
    cells = peaks.read_cells(directory, first, stop)
    if unknown := [second for second in heard if not cells[second - first].any()]:
        original = _original_if_gone(service, video, [directory / f"{second}.wav" for second in unknown])
        decoder = service.session.decoder
        decoder.submit(peaks.fill_peaks, directory, unknown, original, video.audio_track).result()
        cells = peaks.read_cells(directory, first, stop)
    found = peaks.peaks_of(cells, asked.start_s - first, length_s, asked.per_s)
    rounded = [round(peak, 4) for peak in found.tolist()]
    return written(PeaksAnswer(start_s=asked.start_s, length_s=length_s, per_s=asked.per_s, peaks=rounded))


@router.get("/{video_id}/filmstrip.jpg", response_class=Response, responses=PICTURE)
@needs("read")
def get_filmstrip(
    service: Current, request: Request, video_id: str, asked: Annotated[FilmstripQuery, Query()]
) -> Response:
    """Send frames of a stretch side by side, all of one width, evenly spaced in time."""
    video = service.session.library.catalogue.video(video_id)
    length_s = _length_s(video, asked.start_s, asked.length_s)
    step_s = length_s / asked.frames
    seconds = [int(asked.start_s + (number + 0.5) * step_s) for number in range(asked.frames)]
    seen = set(service.session.library.catalogue.seconds_with(video_id, "visual", seconds[0], seconds[-1] + 1))
    return _strip(service, request, video, [second if second in seen else None for second in seconds], asked.height)


@router.get("/{video_id}/poster.jpg", response_class=Response, responses=PICTURE)
@needs("read")
def get_poster(service: Current, request: Request, video_id: str, asked: Annotated[PosterQuery, Query()]) -> Response:
    """Send the frame in the middle of a video, to know it by."""
    video = service.session.library.catalogue.video(video_id)
    seen = service.session.library.catalogue.seconds_with(video_id, "visual")
    return _strip(service, request, video, [seen[len(seen) // 2] if seen else None], asked.height)


def _strip(service: Service, request: Request, video: Video, seconds: list[int | None], height: int) -> Response:
    shown = [second for second in seconds if second is not None]
    if not shown:
        raise NotFound(f"video {video.video_id} has no picture there: ask for its waveform, /videos/ID/peaks")
    places = ".".join("" if second is None else str(second) for second in seconds)
    etag = tag(video.sha256, video.decoding, places, height)
    if answer := unchanged(request, etag, PREVIEW):
        return answer
    directory = Previews(service.session.library, video.video_id).directory
    original = _original_if_gone(service, video, [directory / f"{second}.jpg" for second in shown])
    content = service.session.decoder.submit(draw_filmstrip, directory, seconds, height, original).result()
    return Response(content, 200, PREVIEW | {"ETag": etag}, "image/jpeg")


def _original_if_gone(service: Service, video: Video, previews: list[Path]) -> Path | None:
    """Return the original where previews are gone and it is there, else None."""
    if all(path.exists() for path in previews):
        return None
    try:
        return checked_original(service.session.library, video.video_id)
    except NotFound:
        return None


def _stretch(video: Video, asked: ExcerptQuery) -> tuple[float, float]:
    """Return where an excerpt begins and ends. Raises QueryError."""
    if not 0 < asked.end_s - asked.start_s <= MOST_EXCERPT_S:
        raise QueryError(
            f"an excerpt from {asked.start_s:g} to {asked.end_s:g} s given, one of at most {MOST_EXCERPT_S} s that "
            "ends after it begins expected: ask for a part of it, or fetch the original"
        )
    length_s = _length_s(video, asked.start_s, asked.end_s - asked.start_s)
    return asked.start_s, asked.start_s + max(length_s, LEAST_EXCERPT_S)


def _length_s(video: Video, start_s: float, length_s: float) -> float:
    """Return how much of a stretch lies in the video. Raises QueryError where nothing does."""
    if start_s >= video.duration_s:
        raise QueryError(
            f"start_s={start_s:g} given, but {video.file_name} lasts {video.duration_s:g} s: begin before its end"
        )
    return min(length_s, video.duration_s - start_s)


def _decoded(service: Service, video: Video, original: Path, start_s: float, end_s: float, target: Path) -> Format:
    """Write an excerpt where questions are decoded. Raises MediaError with the file's own name."""
    decoder = service.session.decoder
    arguments = original, start_s, end_s, target, video.audio_track
    try:
        return decoder.submit(excerpts.decode_excerpt, *arguments).result()
    except TookTooLong as error:
        raise TookTooLong(
            f"{end_s - start_s:g} s of {video.file_name} took too long to cut out: ask for a shorter stretch, or fetch "
            "the original"
        ) from error
    except NoPicture as error:
        raise QueryError(
            f"{video.file_name} is a still picture, a video or a sound expected: fetch its original instead"
        ) from error
    except MediaError as error:
        raise type(error)(str(error).replace(original.name, video.file_name)) from error


def _clock(time_s: float) -> str:
    """Write a time for a file's name, such as 1h02m07s or 0m07.5s."""
    whole_s, thousandths = divmod(round(1000 * time_s), 1000)
    minutes, seconds = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f".{thousandths:03d}".rstrip("0") if thousandths else ""
    return f"{f'{hours}h{minutes:02d}' if hours else minutes}m{seconds:02d}{rest}s"
