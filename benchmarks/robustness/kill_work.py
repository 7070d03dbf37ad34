"""What a service is at when something of it is killed, and what it had acknowledged by then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from app.schemas.job import JobDetailAnswer
from benchmarks.http.query_media import Query, make_clips, make_sounds
from benchmarks.service.live_service import GONE, Client, told
from echolens import Problem

STAMP_BYTES = 8
PAUSE_S = 0.05  # between two uploads or changes
EPOCHS = 5
FILES_IN_DIRECTORY = 6
WAITING = ("queued", "running")


@dataclass
class Ledger:
    """Remember what the service acknowledged.

    `jobs`: by id, the files that it took over. `labels` by video id. `unsure`: videos with a change that was not
    answered. `names`: the video ids of files that are there.
    """

    jobs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    acknowledged: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)

    def judge(self, client: Client) -> Iterator[str]:
        """Yield what of it is lost, once no job is at work; and begin anew with what there is."""
        videos = {video.video_id: video for video in client.videos()}
        names = {video.file_name for video in videos.values()}
        for job_id, files in self.jobs.items():
            yield from self._judge_job(client, job_id, files, names)
        for video_id, label in self.labels.items():
            video = videos.get(video_id)
            if video_id not in self.unsure | self.deleted and (video is None or video.label != label):
                yield f"lost: video {video_id} was labelled {label}, and is now {video}"
        for video_id in self.deleted & set(videos):
            yield f"lost: video {video_id} was deleted, and is there"
        self.jobs.clear()
        self.unsure.clear()
        self.labels = {v: video.label for v, video in videos.items() if video.label is not None}

    def _judge_job(self, client: Client, job_id: str, files: tuple[str, ...], names: set[str]) -> Iterator[str]:
        try:
            job = client.job(job_id)
        except Problem as problem:
            yield f"lost: job {job_id} for {files} was accepted; now {problem}"
            return
        code = job.result.get("code")
        self.ended[f"{job.kind} {job.state} {code or ''}".strip()] += 1
        if job.state != "done" and not code:
            yield f"lost: job {job_id} for {files} ended as {job.state}, without a code"
        missing = [file for file in files if file not in names]
        if job.state == "done" and missing:
            yield f"lost: job {job_id} is done, and {missing} not there"


class Material:
    """Hold what is sent: every upload is a new file."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.sounds = make_sounds(20, seed)
        self.clip = make_clips(1, seed)[0]
        self._numbers = count()
        self._rng = np.random.default_rng(seed)

    def new_clips(self, count: int) -> list[Path]:
        """Write clips that nobody has seen into a directory of their own."""
        at, content = self.clip.stamp_at, self.clip.content
        numbers = [next(self._numbers) for _ in range(count)]
        directory = self.directory / f"{numbers[0]:05d}"
        directory.mkdir()
        clips = [directory / f"{number:05d}.mp4" for number in numbers]
        for number, clip in zip(numbers, clips, strict=True):
            clip.write_bytes(content[:at] + number.to_bytes(STAMP_BYTES, "big") + content[at + STAMP_BYTES :])
        return clips

    def pick(self, things: list[Any]) -> Any:
        """Return one of some things."""
        return things[self._rng.integers(len(things))]


@dataclass
class Worker:
    """Do one kind of work until told to stop, or until the service is gone."""

    port: int
    material: Material
    ledger: Ledger
    stop: Event = field(default_factory=Event)
    problems: list[str] = field(default_factory=list)

    def run(self, kind: str) -> None:
        """Do it."""
        work = WORKS[kind]
        with Client(self.port) as client:
            while not self.stop.is_set():
                try:
                    work(self, client)
                except GONE as error:
                    if not self.stop.is_set():
                        self.problems.append(f"{kind}: {error!r}")
                    return
                except Problem as error:
                    self.problems.append(f"{kind}: {error}")

    def retrieve(self, client: Client) -> None:
        """Ask by a sound."""
        self._post(client, "/retrieve", {"target": "visual"}, "file", self.material.pick(self.material.sounds))

    def localize(self, client: Client) -> None:
        """Ask where in a clip."""
        fields = {"direction": "a2v", "query_start_s": 3, "query_length_s": 2}
        self._post(client, "/localize", fields, "video", self.material.clip)

    def upload(self, client: Client) -> None:
        """Upload a new clip."""
        (clip,) = self.material.new_clips(1)
        job = client.upload(clip, label="new")
        self.ledger.jobs[job.job_id] = (clip.name,)
        self.ledger.acknowledged["upload"] += 1
        self.stop.wait(PAUSE_S)

    def take_in(self, client: Client) -> None:
        """Let a directory of new clips be taken in, and see it through."""
        clips = self.material.new_clips(FILES_IN_DIRECTORY)
        self._see_through(client, client.ingest(str(clips[0].parent)), *(clip.name for clip in clips))

    def train(self, client: Client) -> None:
        """Let a model be trained, and see it through."""
        self._see_through(client, client.train(epochs=EPOCHS))

    def change(self, client: Client) -> None:
        """Label a video, or delete one."""
        video_id = self.material.pick(list(client.videos())).video_id
        label = f"label {self.material.pick(list(range(10**6)))}"
        self.ledger.unsure.add(video_id)
        if self.material.pick([True, False, False, False]):
            client.delete(video_id)
            self.ledger.deleted.add(video_id)
            self.ledger.acknowledged["delete"] += 1
        else:
            client.annotate(video_id, label)
            self.ledger.labels[video_id] = label
            self.ledger.acknowledged["label"] += 1
        self.ledger.unsure.discard(video_id)
        self.stop.wait(PAUSE_S)

    def _post(self, client: Client, path: str, fields: dict[str, object], field_name: str, query: Query) -> None:
        reply = client.http.post(path, data=fields, files={field_name: (query.name, query.content)})
        if reply.status_code == 429:
            self.stop.wait(float(reply.headers["retry-after"]))
        elif reply.status_code != 200:
            self.problems.append(f"{path}: {told(reply)}")
        self.ledger.acknowledged[f"{path} {reply.status_code}"] += 1

    def _see_through(self, client: Client, job: JobDetailAnswer, *files: str) -> None:
        self.ledger.jobs[job.job_id] = files
        self.ledger.acknowledged[job.kind] += 1
        while not self.stop.is_set() and client.job(job.job_id).state in WAITING:
            time.sleep(PAUSE_S)


WORKS: dict[str, Callable[[Worker, Client], None]] = {
    "retrieve": Worker.retrieve,
    "localize": Worker.localize,
    "upload": Worker.upload,
    "directory": Worker.take_in,
    "train": Worker.train,
    "change": Worker.change,
}
