"""The service from Python: a method for each route, typed answers, one exception.

    from echolens import Client

    with Client("http://127.0.0.1:8000") as client:
        client.wait_for(client.upload("clip.mp4", label="kettle"))
        for hit in client.retrieve("visual", file="whistle.wav").hits:
            print(hit.file_name, hit.start_s, hit.distance, hit.match)

A file is given by its path, or as its bytes. Needs neither torch nor a library: it may run on another machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack

from httpx2 import Client as Http
from httpx2 import Response
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.schemas.alert import AlertAnswer, AlertsAnswer, NewAlertAnswer
from app.schemas.batch import BatchAnswer
from app.schemas.footage import PeaksAnswer
from app.schemas.generation import GenerateAnswer
from app.schemas.health import HealthAnswer
from app.schemas.job import JobAnswer, JobDetailAnswer
from app.schemas.latent_map import LatentMapAnswer
from app.schemas.library import LibraryAnswer
from app.schemas.measurement import MeasurementAnswer
from app.schemas.search import LocalizeAnswer, RetrieveAnswer
from app.schemas.videos import SecondAnswer, VideoAnswer, VideoDetailAnswer, VideosAnswer
from echolens.connection import TRIES, Connection, Medium, Problem
from index.job_state import JobState
from model.modality import Modality

__all__ = ["Client", "Problem"]

Model = TypeVar("Model", bound=BaseModel)
FIRST_POLL_S, MOST_POLL_S = 0.05, 1.0  # a short job is not waited for long, a long one not asked often
ENDED = ("done", "failed", "cancelled")


class RetrieveOptions(TypedDict, total=False):
    """Be what a question may say beside its target and its query; None, or left out: the service's default."""

    query_modality: Modality | None
    k: int | None
    at_s: float | None
    length_s: float | None
    audio_track: int | None
    label: str | None
    video_id: str | None
    after_s: float | None
    before_s: float | None
    concept: str | None
    name: str | None
    folder: str | None
    modified_after: str | None
    modified_before: str | None
    max_distance: float | None
    min_match: float | None
    group_by: Literal["segment", "video"] | None
    merge_adjacent: bool | None
    fold_twins: bool | None


class Client:
    """Ask a service; safe to share between threads, as its connections are.

    A request that is refused for now (429, 503 with Retry-After) is sent up to `tries` times if that is harmless:
    reads, searches, and uploads and jobs with an idempotency key.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        timeout_s: float = 120.0,
        http: Http | None = None,
        tries: int = TRIES,
    ) -> None:
        """`timeout_s` is for each step of a request; `http` takes the place of the connections made by default."""
        self._connection = Connection(http or Http(base_url=url, timeout=timeout_s), api_key, tries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    # Search

    def retrieve(
        self,
        target: Modality,
        *,
        file: Medium | None = None,
        segment_id: int | None = None,
        text: str | None = None,
        **options: Unpack[RetrieveOptions],
    ) -> RetrieveAnswer:
        """Find the seconds whose look or sound fits a file, a second of the library, or words best."""
        fields = _given({"target": target, "segment_id": segment_id, "text": text, **options})
        return self._post("/retrieve", RetrieveAnswer, fields, [("file", file)])

    def retrieve_batch(
        self,
        target: Modality,
        *,
        files: Sequence[Medium] = (),
        segment_ids: Sequence[int] = (),
        **options: Unpack[RetrieveOptions],
    ) -> BatchAnswer:
        """Retrieve for several queries alike: first the files, then the seconds; each succeeds or fails by itself."""
        fields = _given({"target": target, "segment_ids": segment_ids, **options})
        return self._post("/retrieve/batch", BatchAnswer, fields, [("files", file) for file in files])

    def localize(
        self,
        video: Medium | None = None,
        direction: Literal["a2v", "v2a"] = "a2v",
        *,
        video_id: str | None = None,
        from_s: int | None = None,
        length_s: int | None = None,
        query_start_s: int | None = None,
        query_length_s: int | None = None,
        query_segment_id: int | None = None,
        query: Medium | None = None,
        audio_track: int | None = None,
        query_audio_track: int | None = None,
    ) -> LocalizeAnswer:
        """Find where in a clip one sees what one hears (a2v), or hears what one sees (v2a).

        The clip is a file, at most 60 s, or the stretch from `from_s` on, `length_s` long, of a video of the library.
        """
        fields = _given(locals(), "video", "query")
        return self._post("/localize", LocalizeAnswer, fields, [("video", video), ("query", query)])

    def generate(
        self,
        *,
        file: Medium | None = None,
        segment_id: int | None = None,
        query_modality: Modality | None = None,
        at_s: float | None = None,
        audio_track: int | None = None,
    ) -> GenerateAnswer:
        """Imagine the sound and the look that belong to a query."""
        return self._post("/generate", GenerateAnswer, _given(locals(), "file"), [("file", file)])

    def edit_list(
        self,
        format: Literal["edl", "fcpxml", "csv"],
        cuts: Sequence[tuple[str, float, float]],
        title: str = "Echolens",
    ) -> str:
        """Write stretches, each (video_id, start_s, end_s), as an edit list, or as a table."""
        asked = [{"video_id": video_id, "start_s": start_s, "end_s": end_s} for video_id, start_s, end_s in cuts]
        body = {"format": format, "title": title, "cuts": asked}
        return self._connection.send("POST", "/edit-list", json=body).text

    # The library

    def upload(
        self,
        path: str | Path,
        *,
        label: str | None = None,
        event_start_s: float | None = None,
        event_end_s: float | None = None,
        audio_track: int | None = None,
        modified_at: str | None = None,
        idempotency_key: str | None = None,
    ) -> JobAnswer:
        """Send a file into the library, as it is read from the disk; the job that is returned ingests it.

        With an idempotency key the same upload may be sent again and is taken in once.
        """
        fields, headers = _given(locals(), "path", "idempotency_key"), _key(idempotency_key)
        again = idempotency_key is not None
        return self._post("/videos", JobAnswer, fields, [("file", path)], headers, again)

    def library(self) -> LibraryAnswer:
        """Say what the library holds, what it is encoded by and what it can do."""
        return self._get("/library", LibraryAnswer)

    def videos(
        self, *, label: str | None = None, q: str | None = None, folder: str | None = None, limit: int = 100
    ) -> Iterator[VideoAnswer]:
        """Yield the videos in the order they were added, `limit` to a page.

        Raises Problem with code `cursor_expired` where one of those before was deleted meanwhile.
        """
        page = self.videos_page(label=label, q=q, folder=folder, limit=limit)
        yield from page.videos
        while page.next is not None:
            page = self.videos_page(label=label, q=q, folder=folder, limit=limit, cursor=page.next)
            yield from page.videos

    def videos_page(
        self,
        *,
        label: str | None = None,
        q: str | None = None,
        folder: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> VideosAnswer:
        """Return one page of videos; its `next` is the cursor of the page that follows, None at the end."""
        return self._get("/videos", VideosAnswer, label=label, q=q, folder=folder, limit=limit, cursor=cursor)

    def video(self, video_id: str, segments: bool | None = None) -> VideoDetailAnswer:
        """Describe a video and its seconds; with `segments=False` without them."""
        return self._get(f"/videos/{video_id}", VideoDetailAnswer, segments=segments)

    def annotate(
        self,
        video_id: str,
        label: str | None = None,
        event_start_s: float | None = None,
        event_end_s: float | None = None,
    ) -> VideoAnswer:
        """Replace a video's label and event; None is none."""
        body = {"label": label, "event_start_s": event_start_s, "event_end_s": event_end_s}
        return _read(VideoAnswer, self._connection.send("PATCH", f"/videos/{video_id}", again=False, json=body))

    def delete(self, video_id: str) -> None:
        """Forget a video."""
        self._connection.send("DELETE", f"/videos/{video_id}", again=False)

    def original(self, video_id: str) -> bytes:
        """Return a video's file."""
        return self._connection.send("GET", f"/videos/{video_id}/original").content

    def segment(self, segment_id: int) -> SecondAnswer:
        """Say of which video a second is, and which."""
        return self._get(f"/segments/{segment_id}", SecondAnswer)

    def second(self, video_id: str, start_s: int) -> SecondAnswer:
        """Describe a second of a video; its `segment_id` can be asked by."""
        return self._get(f"/videos/{video_id}/seconds/{start_s}", SecondAnswer)

    def excerpt(self, video_id: str, start_s: float, end_s: float) -> bytes:
        """Return an exact cut of a video of at most 120 s: MP4 (H.264, AAC), or WAV of what is only heard."""
        params = {"start_s": start_s, "end_s": end_s}
        return self._connection.send("GET", f"/videos/{video_id}/excerpt", params=params).content

    def peaks(
        self, video_id: str, start_s: float | None = None, length_s: float | None = None, per_s: float | None = None
    ) -> PeaksAnswer:
        """Tell how loud a stretch of a video is, for a waveform."""
        return self._get(f"/videos/{video_id}/peaks", PeaksAnswer, start_s=start_s, length_s=length_s, per_s=per_s)

    def filmstrip(
        self,
        video_id: str,
        start_s: float | None = None,
        length_s: float | None = None,
        frames: int | None = None,
        height: int | None = None,
    ) -> bytes:
        """Return frames of a stretch of a video side by side as JPEG."""
        params = _given({"start_s": start_s, "length_s": length_s, "frames": frames, "height": height})
        return self._connection.send("GET", f"/videos/{video_id}/filmstrip.jpg", params=params).content

    def poster(self, video_id: str, height: int | None = None) -> bytes:
        """Return a picture to know a video by as JPEG."""
        params = _given({"height": height})
        return self._connection.send("GET", f"/videos/{video_id}/poster.jpg", params=params).content

    def frame(self, segment_id: int) -> bytes:
        """Return the frame of a second as JPEG."""
        return self._connection.send("GET", f"/segments/{segment_id}/frame.jpg").content

    def sound(self, segment_id: int) -> bytes:
        """Return the sound of a second as WAV."""
        return self._connection.send("GET", f"/segments/{segment_id}/sound.wav").content

    def map(
        self,
        modality: Literal[Modality, "both"] | None = None,
        points: int | None = None,
        seed: int | None = None,
    ) -> LatentMapAnswer:
        """Map the library's latents on a plane, with clusters."""
        return self._get("/latents/map", LatentMapAnswer, modality=modality, points=points, seed=seed)

    def mrr(self, seed: int | None = None) -> MeasurementAnswer:
        """Measure the answers by own video and, on labelled videos, by label."""
        return self._get("/metrics/mrr", MeasurementAnswer, seed=seed)

    # Alerts

    def alert(
        self,
        url: str,
        target: Modality,
        *,
        file: Medium | None = None,
        text: str | None = None,
        title: str | None = None,
        secret: str | None = None,
        **options: Unpack[RetrieveOptions],
    ) -> NewAlertAnswer:
        """Save a question that is asked about all new footage; what fits is sent to `url`, signed by the secret.

        Give `min_match`, and a file or a text.
        """
        fields = _given({"url": url, "target": target, "text": text, "title": title, "secret": secret, **options})
        return self._post("/alerts", NewAlertAnswer, fields, [("file", file)], again=False)

    def alerts(self) -> list[AlertAnswer]:
        """Return the saved questions, oldest first."""
        return self._get("/alerts", AlertsAnswer).alerts

    def delete_alert(self, alert_id: str) -> None:
        """Delete a saved question."""
        self._connection.send("DELETE", f"/alerts/{alert_id}", again=False)

    # Jobs

    def ingest(
        self,
        path: str,
        labels: str | None = None,
        idempotency_key: str | None = None,
        audio_track: int | None = None,
    ) -> JobDetailAnswer:
        """Order the ingest of a file or directory of the server."""
        order = {"kind": "ingest", "path": path, "labels": labels, "audio_track": audio_track}
        return self._order(order, idempotency_key)

    def train(
        self,
        seed: int = 0,
        recipe: Literal["default", "published"] = "default",
        epochs: int | None = None,
        idempotency_key: str | None = None,
    ) -> JobDetailAnswer:
        """Order a training on the library."""
        return self._order({"kind": "train", "seed": seed, "recipe": recipe, "epochs": epochs}, idempotency_key)

    def reencode(
        self,
        frontend: str | None = None,
        checkpoint: str | None = None,
        leave_out: bool = False,
        idempotency_key: str | None = None,
    ) -> JobDetailAnswer:
        """Order a change of the front-end, of the model (by its fingerprint), or of both."""
        order = {"kind": "reencode", "frontend": frontend, "checkpoint": checkpoint, "leave_out": leave_out}
        return self._order(order, idempotency_key)

    def jobs(self, *, state: JobState | None = None, limit: int = 100) -> Iterator[JobAnswer]:
        """Yield jobs, all or those in a state, the latest first, `limit` to a page."""
        before = None
        while True:
            asked = _given({"state": state, "limit": limit, "before": before})
            answer = self._connection.send("GET", "/jobs", params=asked)
            page = TypeAdapter(list[JobAnswer]).validate_json(answer.content, extra="ignore")
            yield from page
            if len(page) < limit:
                return
            before = page[-1].job_id

    def job(self, job_id: str) -> JobDetailAnswer:
        """Describe a job."""
        return self._get(f"/jobs/{job_id}", JobDetailAnswer)

    def cancel(self, job_id: str) -> JobDetailAnswer:
        """Cancel a job."""
        return _read(JobDetailAnswer, self._connection.send("DELETE", f"/jobs/{job_id}", again=False))

    def retry(self, job_id: str) -> JobDetailAnswer:
        """Queue a failed job anew."""
        return _read(JobDetailAnswer, self._connection.send("POST", f"/jobs/{job_id}/retry", again=False))

    def wait_for(self, job: JobAnswer | str, timeout_s: float = 3600.0) -> JobDetailAnswer:
        """Return a job once it is done, failed or cancelled; its `state` says which. Raises TimeoutError."""
        job_id = job if isinstance(job, str) else job.job_id
        deadline, poll_s = time.monotonic() + timeout_s, FIRST_POLL_S
        while (now := self.job(job_id)).state not in ENDED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job_id} is {now.state} after {timeout_s:g} s, at {now.progress:.0%}")
            time.sleep(poll_s)
            poll_s = min(MOST_POLL_S, 1.5 * poll_s)
        return now

    # Health

    def live(self) -> HealthAnswer:
        """Say that the process answers."""
        return self._get("/health/live", HealthAnswer)

    def ready(self) -> HealthAnswer:
        """Send a canary through the service. Raises Problem where it does not come through."""
        return self._get("/health/ready", HealthAnswer)

    def _order(self, order: dict[str, Any], idempotency_key: str | None) -> JobDetailAnswer:
        again = idempotency_key is not None
        answer = self._connection.send("POST", "/jobs", headers=_key(idempotency_key), again=again, json=order)
        return _read(JobDetailAnswer, answer)

    def _get(self, path: str, model: type[Model], **parameters: Any) -> Model:
        return _read(model, self._connection.send("GET", path, params=_given(parameters)))

    def _post(
        self,
        path: str,
        model: type[Model],
        fields: dict[str, Any],
        media: Sequence[tuple[str, Medium | None]],
        headers: dict[str, str] | None = None,
        again: bool = True,
    ) -> Model:
        given = [(name, medium) for name, medium in media if medium is not None]
        return _read(model, self._connection.send("POST", path, headers, again, given, data=fields))


def _given(fields: dict[str, Any], *others: str) -> dict[str, Any]:
    """Return what is not None as form fields or parameters."""
    left_out = {"self", *others}
    return {name: _written(value) for name, value in fields.items() if name not in left_out and value is not None}


def _written(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def _read(model: type[Model], answer: Response) -> Model:
    """Read an answer; fields of a later service are passed over."""
    try:
        return model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        detail = f"{answer.request.url} answered what is no {model.__name__}: is it an Echolens of this version?"
        raise Problem(answer.status_code, "not_understood", detail) from error
