"""What the tools answer: what a person and an assistant need of the service's answers, in few words.

An answer of the service has what programs need, too: the parts of a distance, links, timings. An assistant pays for
each word that it reads. Times are in seconds; `moment` writes them as a player does.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from app.schemas.answering import Answering
from app.schemas.library import FolderAnswer, LabelAnswer, LibraryAnswer
from app.schemas.search import HitAnswer, LocalizeAnswer, Reason, RetrieveAnswer, Verdict
from app.schemas.videos import SegmentAnswer, VideoAnswer, VideoDetailAnswer, VideosAnswer

SHOWN_CONCEPTS = 3
SHOWN_WINDOWS = 3
SHOWN_NAMES = 30  # of labels and of folders
FITS: dict[Verdict | None, str] = {
    "strong": "a strong match",
    "fair": "a fair match",
    "weak": "a weak match: look at it, or listen to it, before you rely on it",
}
WARNINGS = "why these answers cannot be trusted, and what to do"
NOTES = "what was left aside of the query's file, or of the search"
UNKNOWN_FIT = "This model cannot tell how well a hit matches. A small distance is close."


class FoundMoment(Answering):
    """A moment of a recording; what is not known is left out."""

    file_name: str
    moment: str = Field(description="where in the recording, such as 1:02-1:05")
    fit: Verdict | None = Field(None, description="how well it fits; go by this")
    match: float | None = Field(
        None,
        description="the probability, 0 to 1, that it belongs to the query, as if it were the only candidate: in a "
        "large library chance alone brings high ones, which fit takes into account",
    )
    distance: float | None = Field(None, description="told where no match is known; small is close")
    shares: dict[str, float] = Field(
        {}, description="the concepts that it shares with the query, and how strongly, 0 to 1"
    )
    label: str | None = None
    copies: list[str] = Field([], description="files in which the same moment is found again")
    video_id: str
    start_s: int
    end_s: int
    segment_id: int
    file_path: str | None = Field(None, description="where the file lies on the server")

    @classmethod
    def of(cls, hit: HitAnswer) -> Self:
        """Write a hit out."""
        return cls(
            file_name=hit.file_name,
            moment=_stretch(hit.start_s, hit.end_s),
            fit=hit.fit,
            match=None if hit.match is None else round(hit.match, 2),
            distance=round(hit.distance, 3) if hit.match is None else None,
            shares=_strengths(hit.reasons),
            label=hit.label,
            copies=sorted({twin.file_name for twin in hit.twins}),
            video_id=hit.video_id,
            start_s=hit.start_s,
            end_s=hit.end_s,
            segment_id=hit.segment_id,
            file_path=hit.file_path,
        )


class Found(Answering):
    """What a search found, best first."""

    summary: str
    verdict: Verdict | None = Field(None, description="how well the best hit matches; left out where not known")
    hits: list[FoundMoment]
    query_concepts: dict[str, float] = Field({}, description="what the query was understood as, likewise")
    warnings: list[str] = Field([], description=WARNINGS)
    notes: list[str] = Field([], description=NOTES)

    @classmethod
    def of(cls, answer: RetrieveAnswer) -> Self:
        """Write an answer of /retrieve out."""
        unproved = [] if answer.search.certified else ["The search is approximate: a better hit may be missing."]
        return cls(
            summary=_summary(answer),
            verdict=answer.verdict,
            hits=[FoundMoment.of(hit) for hit in answer.hits],
            query_concepts=_strengths(answer.query.concepts),
            warnings=answer.warnings,
            notes=answer.notes + unproved,
        )


class Window(Answering):
    """A place where the moment may be."""

    moment: str
    start_s: int
    probability: float


class FoundWindow(Answering):
    """Where in a clip the query is seen or heard."""

    summary: str
    moment: str = Field(description="the best window, such as 0:02-0:05")
    start_s: int
    end_s: int
    fit: Verdict | None = Field(None, description="how well it fits, beside an unrelated recording")
    stands_out: bool = Field(description="false: no window is clearly better than the others")
    best_windows: list[Window]
    searched: str
    compared: str = Field(description="the stretch of the query that was compared, without silent ends")
    warnings: list[str] = Field([], description=WARNINGS)
    notes: list[str] = Field([], description=NOTES)

    @classmethod
    def of(cls, answer: LocalizeAnswer) -> Self:
        """Write an answer of /localize out."""
        length_s = answer.end_s - answer.start_s
        best = sorted(answer.windows, key=lambda window: -window.probability)[:SHOWN_WINDOWS]
        moment = _stretch(answer.start_s, answer.end_s)
        return cls(
            summary=_located(answer, moment),
            moment=moment,
            start_s=answer.start_s,
            end_s=answer.end_s,
            fit=answer.fit,
            stands_out=answer.stands_out,
            best_windows=[
                Window(
                    moment=_stretch(window.start_s, window.start_s + length_s),
                    start_s=window.start_s,
                    probability=round(window.probability, 2),
                )
                for window in best
            ],
            searched=_stretch(answer.from_s, answer.from_s + answer.length_s),
            compared=_stretch(answer.compared_start_s, answer.compared_end_s),
            warnings=answer.warnings,
            notes=answer.notes,
        )


class LibraryFacts(Answering):
    """What the library holds, and what can be asked of it."""

    videos: int
    seconds: int = Field(description="how much of them can be searched")
    duration: str
    problem: str | None = Field(None, description="why nothing can be searched now, and what to do")
    front_end: str | None = Field(None, description="what turns a second into features")
    model: str | None = Field(None, description="the model's fingerprint; left out where none serves")
    can_text: bool = Field(description="search takes text")
    calibrated: bool = Field(description="hits tell how probable a match is")
    is_demonstration: bool = Field(description="all recordings are drawn clips, not real footage")
    missing: int = Field(description="recordings whose files went missing: not searched")
    failed: int = Field(description="files that could not be taken in")
    warnings: list[str]
    labelled: int = Field(description="recordings that have a label")
    labels: list[LabelAnswer] = Field(description=f"the {SHOWN_NAMES} most frequent")
    folders: list[FolderAnswer] = Field(description="likewise; none where the service tells no paths")

    @classmethod
    def of(cls, answer: LibraryAnswer) -> Self:
        """Write an answer of /library out."""
        return cls(
            videos=answer.videos,
            seconds=answer.segments,
            duration=_clock(answer.duration_s),
            problem=answer.problem,
            front_end=answer.front_end,
            model=answer.fingerprint,
            can_text=answer.can_text,
            calibrated=answer.model is not None and answer.model.calibrated,
            is_demonstration=answer.is_demonstration,
            missing=answer.missing,
            failed=answer.failed,
            warnings=answer.warnings,
            labelled=answer.labelled,
            labels=answer.labels[:SHOWN_NAMES],
            folders=answer.folders[:SHOWN_NAMES],
        )


class VideoFacts(Answering):
    """A recording."""

    video_id: str
    file_name: str
    duration: str
    label: str | None = None
    has_sound: bool
    has_picture: bool
    modified_at: str | None = Field(None, description="when the file was last changed")
    problems: list[Literal["missing", "incomplete", "lossy"]] = Field(
        [],
        description="missing: its file is gone, it is not searched; incomplete: not read to its end yet; lossy: a part "
        "could not be decoded",
    )

    @classmethod
    def of(cls, video: VideoAnswer) -> Self:
        """Write a recording out."""
        problems: dict[Literal["missing", "incomplete", "lossy"], bool] = {
            "missing": video.missing,
            "incomplete": not video.complete,
            "lossy": video.loss_s > 0,
        }
        return cls(
            video_id=video.video_id,
            file_name=video.file_name,
            duration=_clock(video.duration_s),
            label=video.label,
            has_sound=video.has_sound,
            has_picture=video.has_picture,
            modified_at=video.modified_at,
            problems=[name for name, there in problems.items() if there],
        )


class VideoList(Answering):
    """A page of recordings."""

    total: int = Field(description="recordings on all pages")
    videos: list[VideoFacts]
    next: str | None = Field(None, description="give it as cursor to see the next page; left out on the last one")

    @classmethod
    def of(cls, page: VideosAnswer) -> Self:
        """Write a page of /videos out."""
        return cls(total=page.total, videos=[VideoFacts.of(video) for video in page.videos], next=page.next)


class SecondFacts(Answering):
    """A second of a recording, and the concepts that are heard and seen in it, with their strengths, 0 to 1."""

    moment: str
    segment_id: int
    heard: dict[str, float] | None = Field(None, description="left out where it is silent")
    seen: dict[str, float] | None = Field(None, description="left out where it has no picture")

    @classmethod
    def of(cls, second: SegmentAnswer) -> Self:
        """Write a second out."""
        return cls(
            moment=_clock(second.start_s),
            segment_id=second.segment_id,
            heard=_strengths(second.concepts.audio) if second.heard else None,
            seen=_strengths(second.concepts.visual) if second.seen else None,
        )


class VideoSeconds(Answering):
    """A recording, and the seconds of a stretch of it."""

    video: VideoFacts
    seconds: list[SecondFacts] = Field(description="without concepts where the library's front-end names none")

    @classmethod
    def of(cls, video: VideoDetailAnswer, start_s: int, length_s: int) -> Self:
        """Write a recording and the seconds from `start_s` on out."""
        asked = range(start_s, start_s + length_s)
        return cls(
            video=VideoFacts.of(video),
            seconds=[SecondFacts.of(second) for second in video.segments if second.start_s in asked],
        )


def frames_text(video: VideoAnswer, start_s: float, length_s: float, frames: int) -> str:
    """Say of which seconds the frames of a filmstrip are, as the service chooses them."""
    step_s = min(length_s, video.duration_s - start_s) / frames
    moments = ", ".join(_clock(start_s + (number + 0.5) * step_s) for number in range(frames))
    return f"{video.file_name}, from left to right: {moments}. Grey: a second without a picture."


def _strengths(reasons: list[Reason]) -> dict[str, float]:
    return {reason.concept: round(reason.strength, 2) for reason in reasons[:SHOWN_CONCEPTS]}


def _summary(answer: RetrieveAnswer) -> str:
    if not answer.hits:
        return "Nothing found. With fewer filters, or a smaller min_match, there may be hits."
    if answer.verdict is None:
        return UNKNOWN_FIT
    if answer.verdict == "nothing":
        return "Nothing here matches: the hits are only the nearest there are."
    return f"The best hit is {FITS[answer.verdict]}."


def _located(answer: LocalizeAnswer, moment: str) -> str:
    if answer.fit == "nothing":
        said = f"Nothing here fits well; {moment} is only the best there is."
    else:
        said = f"Best at {moment}" + (f", {FITS[answer.fit]}." if answer.fit in FITS else ".")
    return said if answer.stands_out else f"{said} No window stands out: it may as well be elsewhere."


def _stretch(start_s: float, end_s: float) -> str:
    return f"{_clock(start_s)}-{_clock(end_s)}"


def _clock(time_s: float) -> str:
    """Write a time as 0:07, 12:03 or 1:00:00."""
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
