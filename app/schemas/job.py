"""What /jobs takes and answers."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.answering import Answering
from app.schemas.front_end_name import FrontEndName
from index.job_state import JobState

if TYPE_CHECKING:
    from index.records import Job, JobMessage


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IngestOrder(_Order):
    """Take in a file or directory of the server, with the labels of a CSV there."""

    kind: Literal["ingest"]
    path: str = Field(min_length=1, max_length=4096, description="absolute, below one of ECHOLENS_INGEST_ROOTS")
    labels: str | None = Field(
        None, min_length=1, max_length=4096, description="a CSV there: file,label[,event_start_s,event_end_s]"
    )
    audio_track: int | None = Field(
        None, strict=True, ge=1, description="which sound track of each file, counted from 1; null: the default one"
    )


class TrainOrder(_Order):
    """Learn from the library; the new model serves if it is better on held-out videos."""

    kind: Literal["train"]
    seed: int = Field(0, strict=True, ge=0, le=2**31 - 1)
    recipe: Literal["default", "published"] = "default"
    epochs: int | None = Field(None, strict=True, ge=1, le=1000, description="other than the recipe's")


class ReencodeOrder(_Order):
    """Encode the library anew, by another front-end or model; it serves as before until all is done."""

    kind: Literal["reencode"]
    frontend: FrontEndName | None = Field(None, description="whose features to make; null: the library's")
    checkpoint: str | None = Field(
        None,
        pattern="^[0-9a-f]{16}$",
        description="fingerprint of a model of the library, of that front-end; null: the serving or the first one",
    )
    leave_out: bool = Field(False, strict=True, description="leave out videos whose features and files are gone")


class JobsQuery(Answering):
    """The parameters of GET /jobs."""

    state: JobState | None = None
    limit: int = Field(100, ge=1, le=1000)
    before: str | None = Field(None, description="the id of the last job of the page before")


class JobErrorAnswer(Answering):
    """Why a file of a job could not be taken in."""

    file_name: str
    code: str
    detail: str


class JobAnswer(Answering):
    """A piece of work."""

    job_id: str
    kind: str
    subject: str | None = Field(
        None, description="the name of the file or directory that is taken in; null for other jobs"
    )
    state: str
    cancelling: bool = Field(description="it was cancelled and ends at its next file or epoch")
    progress: float = Field(description="0..1, of files, videos or training's epochs")
    time_left_s: float | None = Field(description="at the pace so far; null where that is not known")
    at_hand: str | None = Field(None, description="name of the file that a running ingest reads; null for other jobs")
    error_count: int
    result: dict[str, Any] = Field(
        description="of an ingest: what became of its files so far; of a training: its `curve` so far, and at its end "
        "`new` and `serving`, both on the same held-out videos where there are enough, and `adopted`; see docs/api.md"
    )
    created_at: str
    updated_at: str

    @staticmethod
    def of(job: Job, time_left_s: float | None, at_hand: str | None) -> JobAnswer:
        """Write a job out."""
        return JobAnswer(**_fields(job, time_left_s, at_hand))


class JobDetailAnswer(JobAnswer):
    """A piece of work, and what it met: at most 1000 errors and 1000 notes."""

    errors: list[JobErrorAnswer]
    notes: list[str]

    @staticmethod
    def of_messages(
        job: Job, messages: list[JobMessage], time_left_s: float | None, at_hand: str | None
    ) -> JobDetailAnswer:
        """Write a job out with its messages."""
        errors = [
            JobErrorAnswer(file_name=m.file_name, code=m.code, detail=m.detail) for m in messages if m.code is not None
        ]
        notes = [f"{m.file_name}: {m.detail}" if m.file_name else m.detail for m in messages if m.code is None]
        return JobDetailAnswer(**_fields(job, time_left_s, at_hand), errors=errors, notes=notes)


def _fields(job: Job, time_left_s: float | None, at_hand: str | None) -> dict[str, Any]:
    told = {
        "subject": _subject(job),
        "time_left_s": None if time_left_s is None else round(time_left_s, 1),
        "at_hand": at_hand,
    }
    return {name: getattr(job, name) for name in JobAnswer.model_fields if name not in told} | told


def _subject(job: Job) -> str | None:
    """Return the name of what is taken in; no more of the server's path."""
    payload = job.payload
    name = payload.get("file_name") or payload.get("directory")
    return None if name is None else PurePath(name).name
