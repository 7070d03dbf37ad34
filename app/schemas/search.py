"""What /retrieve and /localize answer. Times are in seconds; a small distance is close."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from app.schemas.answering import Answering
from app.schemas.links import HitLinks, poster_link, second_links
from model.modality import Modality

if TYPE_CHECKING:
    from app.queries.retrieval import Hit, Hits
    from app.queries.windows import Located

Verdict = Literal["strong", "fair", "weak", "nothing"]
Locate = Callable[[str], str]  # from the path that the catalogue holds to the file's own


class Parts(Answering):
    """The weighted parts of a distance; they sum to it."""

    latent: float
    generated: float


class Reason(Answering):
    """A concept, and how strong it is, 0..1."""

    concept: str
    strength: float


class TwinAnswer(Answering):
    """A second that is the same picture or sound again as a hit."""

    segment_id: int
    video_id: str
    file_name: str
    start_s: int


class HitAnswer(Answering):
    """One second of the library."""

    rank: int
    segment_id: int
    video_id: str
    file_name: str
    file_path: str | None = Field(
        None, description="where the file lies on the server; told on loopback without keys, and to keys of scope admin"
    )
    start_s: int
    end_s: int
    distance: float
    parts: Parts
    label: str | None
    match: float | None = Field(
        description="the probability that it belongs to the query; null where the model has no calibration"
    )
    chance: float | None = Field(
        description="the chance that the best unrelated second of this library is as good; null like `match`"
    )
    fit: Verdict | None = Field(description="that chance in words, as `verdict` says it of the best hit")
    reasons: list[Reason] = Field(
        description="the concepts that query and hit share, strongest first; none where the front-end has no prior"
    )
    twins: list[TwinAnswer] = Field(
        [], description="with fold_twins: the same picture or sound again, in other videos; best first"
    )
    links: HitLinks


class SearchAnswer(Answering):
    """How the hits were found; `certified`: proved equal to scoring every item; `recall`: measured, of what is not."""

    certified: bool
    examined: int
    gallery_size: int
    path: str
    bound_gap: float | None
    recall: float | None
    catalogue_version: int


class QueryAnswer(Answering):
    """What was asked; `uncertainty` is the mean standard deviation of the query's posterior."""

    modality: Modality
    uncertainty: float
    fingerprint: str


class RetrieveQueryAnswer(Answering):
    """What was asked, in words too, and its strongest concepts."""

    modality: Modality | Literal["text"]
    concepts: list[Reason]
    uncertainty: float
    fingerprint: str


class RetrieveAnswer(Answering):
    """The answer of POST /retrieve."""

    hits: list[HitAnswer]
    verdict: Verdict | None = Field(
        description="how well the best hit matches; null where the model has no calibration"
    )
    search: SearchAnswer
    query: RetrieveQueryAnswer
    device: str = Field(description="what computed this answer: `cpu`, or `cuda` and the name of the card")
    warnings: list[str] = Field(
        [], description="why this model cannot be trusted with the library's footage, and what to do"
    )
    notes: list[str] = Field([], description="what was lost of the query's file, or left aside, such as sound tracks")
    timings_ms: dict[str, float]

    @staticmethod
    def of(answer: Hits, locate: Locate | None) -> RetrieveAnswer:
        """Write an answer out; with `locate`, each hit's path too."""
        return RetrieveAnswer.model_validate(retrieve_answer(answer, locate))


def retrieve_answer(answer: Hits, locate: Locate | None) -> dict[str, Any]:
    """Return what a RetrieveAnswer holds, in its order: a model takes twice as long to make as to write down."""
    return {
        "hits": [_hit(hit, locate) for hit in answer.hits],
        "verdict": answer.verdict,
        "search": {**vars(answer.search), "catalogue_version": answer.catalogue_version},
        "query": {
            "modality": answer.modality,
            "concepts": list(map(vars, answer.concepts)),
            "uncertainty": answer.uncertainty,
            "fingerprint": answer.fingerprint,
        },
        "device": answer.device,
        "warnings": answer.warnings,
        "notes": answer.notes,
        "timings_ms": answer.timings_ms,
    }


class WindowAnswer(Answering):
    """One candidate; distance is null where a second of it is silent or has no picture."""

    start_s: int
    distance: float | None
    probability: float


class LocalizeAnswer(Answering):
    """The answer of POST /localize; all times are of the recordings themselves, a second file's of that file."""

    start_s: int = Field(description="the best window begins here")
    end_s: int
    stands_out: bool = Field(
        description="a quarter of the windows, or fewer, hold half of the probability; false: no window stands out"
    )
    chance: float | None = Field(
        description="the chance that the best window of an unrelated recording fits as well; null where the model is "
        "not calibrated"
    )
    fit: Verdict | None = Field(description="that chance in words, as of a hit of /retrieve")
    windows: list[WindowAnswer]
    from_s: int = Field(description="the stretch that was searched begins here")
    length_s: int
    query_start_s: int = Field(description="the stretch that was asked begins here")
    query_end_s: int
    compared_start_s: int = Field(description="what of it was compared begins here: silent ends are cut off")
    compared_end_s: int
    distances: list[list[float | None]] = Field(
        description="a row for each second that was asked, a column for each that was searched; null where one of both "
        "is silent or has no picture"
    )
    fingerprint: str
    device: str = Field(description="what computed this answer: `cpu`, or `cuda` and the name of the card")
    warnings: list[str] = Field(
        [], description="why this model cannot be trusted with the library's footage, and what to do"
    )
    notes: list[str] = Field([], description="what was lost of the query's file, or left aside, such as sound tracks")
    timings_ms: dict[str, float]

    @staticmethod
    def of(found: Located) -> LocalizeAnswer:
        """Write a finding out; NaN becomes null."""
        return LocalizeAnswer(
            start_s=found.start_s,
            end_s=found.end_s,
            stands_out=found.stands_out,
            chance=found.chance,
            fit=found.fit,
            windows=[WindowAnswer(**vars(window)) for window in found.windows],
            from_s=found.searched.start,
            length_s=len(found.searched),
            query_start_s=found.asked.start,
            query_end_s=found.asked.stop,
            compared_start_s=found.compared.start,
            compared_end_s=found.compared.stop,
            distances=[[None if d != d else d for d in row] for row in found.matrix.tolist()],
            fingerprint=found.fingerprint,
            device=found.device,
            warnings=list(found.warnings),
            notes=list(found.notes),
            timings_ms=found.timings_ms,
        )


def _hit(hit: Hit, locate: Locate | None) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "segment_id": hit.segment_id,
        "video_id": hit.video.video_id,
        "file_name": hit.video.file_name,
        "file_path": None if locate is None else locate(hit.video.path),
        "start_s": hit.start_s,
        "end_s": hit.end_s,
        "distance": hit.distance,
        "parts": {"latent": hit.latent, "generated": hit.generated},
        "label": hit.video.label,
        "match": hit.match,
        "chance": hit.chance,
        "fit": hit.fit,
        "reasons": list(map(vars, hit.reasons)),
        "twins": [
            {
                "segment_id": twin.segment_id,
                "video_id": twin.video.video_id,
                "file_name": twin.video.file_name,
                "start_s": twin.start_s,
            }
            for twin in hit.twins
        ],
        "links": second_links(hit, hit.video.video_id, hit.end_s) | {"poster": poster_link(hit.video)},
    }
