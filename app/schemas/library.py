"""What GET /library answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from app.schemas.answering import Answering
from app.schemas.measurement import MeasuredModelAnswer

if TYPE_CHECKING:
    from app.library.overview import Overview


COUNTED = (
    "videos",
    "segments",
    "duration_s",
    "labelled",
    "lossy",
    "loss_s",
    "incomplete",
    "missing",
    "failed",
    "fingerprint",
    "catalogue_version",
)


class FrontEndAnswer(Answering):
    """A front-end that the library may be given with POST /jobs."""

    name: str
    current: bool
    ready: bool = Field(
        description="false: its weights are not here; those of `pretrained` are fetched first; true for a package's"
    )


class LabelAnswer(Answering):
    """A label, and how many videos have it."""

    label: str
    videos: int


class FolderAnswer(Answering):
    """A folder of the server, and how many videos lie in it."""

    folder: str
    videos: int


class LibraryModelAnswer(MeasuredModelAnswer):
    """The model that serves."""

    calibrated: bool = Field(description="it tells how probable a match is")


class LibraryAnswer(Answering):
    """The answer of GET /library."""

    videos: int
    segments: int = Field(description="seconds")
    duration_s: float
    labelled: int
    lossy: int = Field(description="videos of which a part could not be decoded")
    loss_s: float
    incomplete: int = Field(description="videos that have not been read to their end")
    missing: int = Field(description="videos whose files went missing: not searched")
    failed: int = Field(description="files that could not be taken in")
    front_end: str | None
    fingerprint: str | None
    catalogue_version: int
    is_demonstration: bool = Field(description="all of it are the drawn clips of `echolens demo`")
    model: LibraryModelAnswer | None = Field(description="null where none serves")
    problem: str | None = Field(description="why no model serves, and what to do")
    can_text: bool = Field(description="it can be asked in words")
    knows_concepts: bool = Field(description="words are concepts: `not` excludes them, `concept` filters by them")
    can_imagine: bool = Field(description="POST /generate makes a picture and a sound")
    warnings: list[str]
    front_ends: list[FrontEndAnswer]
    labels: list[LabelAnswer] = Field(description="most frequent first, at most 500")
    folders: list[FolderAnswer] = Field(
        description="likewise, of files that were ingested in place; none where the service tells no paths"
    )
    ingest_roots: list[str] = Field(description="directories below which POST /jobs may ingest; likewise")
    most_upload_bytes: int
    scope: Literal["read", "admin"] = Field(description="what the asker may do")

    @staticmethod
    def of(
        overview: Overview,
        front_ends: list[FrontEndAnswer],
        roots: list[str],
        most_upload_bytes: int,
        scope: Literal["read", "admin"],
    ) -> LibraryAnswer:
        """Write an overview out; only an admin is told folders and roots."""
        holdings, model, told = overview.holdings, overview.model, scope == "admin"
        stats = holdings.stats
        return LibraryAnswer(
            **{name: getattr(stats, name) for name in COUNTED},
            front_end=stats.frontend,
            is_demonstration=holdings.is_demonstration,
            model=model and LibraryModelAnswer(**vars(model), calibrated=overview.calibrated),
            problem=overview.problem,
            can_text=overview.can_text,
            knows_concepts=overview.knows_concepts,
            can_imagine=overview.can_imagine,
            warnings=list(overview.warnings),
            front_ends=front_ends,
            labels=[LabelAnswer(label=label, videos=videos) for label, videos in holdings.labels],
            folders=[FolderAnswer(folder=folder, videos=videos) for folder, videos in holdings.folders if told],
            ingest_roots=roots if told else [],
            most_upload_bytes=most_upload_bytes,
            scope=scope,
        )
