"""What a service is at when something of it is killed, and what it had acknowledged by then."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from benchmarks.http.query_media import Query, make_clips, make_sounds
from benchmarks.service.live_service import GONE, Client, Refused, Reply, form

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
        videos = {video["video_id"]: video for video in every_video(client)}
        names = {video["file_name"] for video in videos.values()}
        for job_id, files in self.jobs.items():
            yield from self._judge_job(client, job_id, files, names)
        for video_id, label in self.labels.items():
            if video_id not in self.unsure | self.deleted and videos.get(video_id, {}).get("label") != label:
                yield f"lost: video {video_id} was labelled {label}, and is now {videos.get(video_id)}"
        for video_id in self.deleted & set(videos):
            yield f"lost: video {video_id} was deleted, and is there"
        self.jobs.clear()
        self.unsure.clear()
        self.labels = {v: video["label"] for v, video in videos.items() if video["label"] is not None}

    def _judge_job(self, client: Client, job_id: str, files: tuple[str, ...], names: set[str]) -> Iterator[str]:
        reply = client.exchange("GET", f"/jobs/{job_id}")
        if reply.status != 200:
            yield f"lost: job {job_id} for {files} was accepted; now {reply.status} {reply.problem_code}"
            return
        job = json.loads(reply.body)
        code = job["result"].get("code")
        self.ended[f"{job['kind']} {job['state']} {code or ''}".strip()] += 1
        if job["state"] != "done" and not code:
            yield f"lost: job {job_id} for {files} ended as {job['state']}, without a code"
        missing = [file for file in files if file not in names]
        if job["state"] == "done" and missing:
            yield f"lost: job {job_id} is done, and {missing} not there"


def every_video(client: Client) -> list[dict[str, Any]]:
    """Return the library's videos, page by page."""
    videos, path = [], "/videos?limit=500"
    while True:
        page = client.ask("GET", path)
        videos += page["videos"]
        if page["next"] is None:
            return videos
        path = f"/videos?limit=500&cursor={page['next']}"


class Material:
    """Hold what is sent: every upload is a new file."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.sounds = make_sounds(20, seed)
        self.clip = make_clips(1, seed)[0]
        self._numbers = count()
        self._rng = np.random.default_rng(seed)

    def new_clip(self) -> tuple[str, bytes]:
        """Return a clip that nobody has seen, as (name, content)."""
        number = next(self._numbers)
        at, content = self.clip.stamp_at, self.clip.content
        return f"{number:05d}.mp4", content[:at] + number.to_bytes(STAMP_BYTES, "big") + content[at + STAMP_BYTES :]

    def new_directory(self) -> tuple[Path, tuple[str, ...]]:
        """Write a directory of new clips; return it, and their names."""
        clips = [self.new_clip() for _ in range(FILES_IN_DIRECTORY)]
        directory = self.directory / clips[0][0].removesuffix(".mp4")
        directory.mkdir(parents=True)
        for name, content in clips:
            (directory / name).write_bytes(content)
        return directory, tuple(name for name, _ in clips)

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
                except Refused as error:
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
        name, content = self.material.new_clip()
        job = client.send("/videos", {"label": "new"}, (name, content))
        self.ledger.jobs[job["job_id"]] = (name,)
        self.ledger.acknowledged["upload"] += 1
        self.stop.wait(PAUSE_S)

    def take_in(self, client: Client) -> None:
        """Let a directory of new clips be taken in, and see it through."""
        directory, names = self.material.new_directory()
        self._order(client, {"kind": "ingest", "path": str(directory)}, names)

    def train(self, client: Client) -> None:
        """Let a model be trained, and see it through."""
        self._order(client, {"kind": "train", "epochs": EPOCHS}, ())

    def change(self, client: Client) -> None:
        """Label a video, or delete one."""
        video_id = self.material.pick(every_video(client))["video_id"]
        label = f"label {self.material.pick(list(range(10**6)))}"
        self.ledger.unsure.add(video_id)
        if self.material.pick([True, False, False, False]):
            client.ask("DELETE", f"/videos/{video_id}")
            self.ledger.deleted.add(video_id)
            self.ledger.acknowledged["delete"] += 1
        else:
            client.label(video_id, label)
            self.ledger.labels[video_id] = label
            self.ledger.acknowledged["label"] += 1
        self.ledger.unsure.discard(video_id)
        self.stop.wait(PAUSE_S)

    def _post(self, client: Client, path: str, fields: dict[str, object], field_name: str, query: Query) -> None:
        body, kind = form(fields, {field_name: (query.name, query.content)})
        reply = client.exchange("POST", path, body, kind)
        if reply.status == 429:
            self.stop.wait(float(reply.headers["retry-after"]))
        elif reply.status != 200:
            self.problems.append(f"{path}: {told(reply)}")
        self.ledger.acknowledged[f"{path} {reply.status}"] += 1

    def _order(self, client: Client, order: dict[str, object], files: tuple[str, ...]) -> None:
        job_id = client.ask("POST", "/jobs", json.dumps(order).encode())["job_id"]
        self.ledger.jobs[job_id] = files
        self.ledger.acknowledged[str(order["kind"])] += 1
        while not self.stop.is_set() and client.ask("GET", f"/jobs/{job_id}")["state"] in WAITING:
            time.sleep(PAUSE_S)


WORKS: dict[str, Callable[[Worker, Client], None]] = {
    "retrieve": Worker.retrieve,
    "localize": Worker.localize,
    "upload": Worker.upload,
    "directory": Worker.take_in,
    "train": Worker.train,
    "change": Worker.change,
}


def told(reply: Reply) -> str:
    """Return status and body in short."""
    return f"{reply.status} {reply.body[:300].decode(errors='replace')}"
