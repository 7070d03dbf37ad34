"""The service for a long time at half of what it can do, while it takes in clips and forgets old ones."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from httpx2 import TransportError

from benchmarks.http.load import Body, Load, Met, run_load
from benchmarks.service.live_service import Client, Service, meanwhile
from benchmarks.service.process_tree import held_bytes, session_of
from benchmarks.service.short_clips import make_clips
from echolens import Problem

CLIENTS = 16  # at which the capacity is taken
CLIPS, KEPT = 20, 10  # different clips that come, and how many of them stay at most
JOB_S = 120.0
SAMPLE_S = 10.0
SLICE_S = 300.0
SHOWN = 20


def soak(service: Service, sounds: tuple[Body, ...], seconds: float, capacity_s: float) -> dict[str, Any]:
    """Measure the capacity, then ask at half of it for `seconds`; report memory, percentiles by slice, and problems."""
    capacity_hz = run_load(Load(service.port, "/retrieve", sounds, CLIENTS, capacity_s)).rate_hz
    stop, memory = Event(), Memory(service.pid)
    with tempfile.TemporaryDirectory(prefix="echolens-soak-") as directory:
        clips = make_clips(Path(directory) / "clips", CLIPS, 6_000_000)
        feeder = Feeder(service.port, clips)
        with meanwhile(stop, feeder.feed, feeder.look, memory.sample):
            met = run_load(Load(service.port, "/retrieve", sounds, 1, seconds, rate_hz=capacity_hz / 2))
    refused = [f"{count} x {what}" for what, count in sorted((met.codes + met.errors).items())]
    return {
        "seconds": seconds,
        "capacity_hz": capacity_hz,
        "rate_hz": met.rate_hz,
        "statuses": dict(met.statuses),
        "p99_ms_by_slice": slices(met),
        "fed": dict(feeder.counts),
        "memory_growth": memory.growth(),
        "memory_mb": [round(held / 1e6, 1) for held in memory.held],
        "processes": memory.processes,
        "problems": [*refused, *feeder.problems[:SHOWN]],
    }


def slices(met: Met) -> list[float]:
    """Return the 99th percentile in ms of each five minutes."""
    spent_ms, which = 1000 * np.asarray(met.spent_s), np.asarray(met.ended_s) // SLICE_S
    return [float(np.percentile(spent_ms[which == number], 99)) for number in np.unique(which)]


@dataclass
class Memory:
    """Sample what the service's processes hold."""

    leader: int
    held: list[int] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)

    def sample(self, stop: Event) -> None:
        """Sample until `stop`."""
        while not stop.is_set():
            self.held.append(held_bytes(self.leader))
            self.processes.append(len(session_of(self.leader)))
            stop.wait(SAMPLE_S)

    def growth(self) -> float:
        """Return the median of the last fifth over that of the second, which is after all warming up."""
        fifth = max(1, len(self.held) // 5)
        return float(np.median(self.held[-fifth:]) / np.median(self.held[fifth : 2 * fifth] or self.held))


@dataclass
class Feeder:
    """Upload clips, wait for their ingest, delete the oldest; and look at everything that can be looked at."""

    port: int
    clips: list[Path]
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def feed(self, stop: Event) -> None:
        """Upload and delete until `stop`."""
        there: list[str] = []
        with Client(self.port) as client:
            while not stop.is_set():
                try:
                    there += self._take_in(client, self.clips[self.counts["upload"] % len(self.clips)])
                    if len(there) > KEPT:
                        client.delete(there.pop(0))
                        self.counts["delete"] += 1
                except (RuntimeError, TimeoutError, Problem) as error:
                    self.problems.append(f"feeding: {error!r}")
                    stop.wait(1)

    def _take_in(self, client: Client, clip: Path) -> list[str]:
        queued = client.upload(clip)
        self.counts["upload"] += 1
        job = client.wait_for(queued, JOB_S)
        self.counts[f"job {job.state}"] += 1
        if job.state != "done":
            raise RuntimeError(f"the ingest of {clip.name} ended so: {job}")
        return [job.result["video_id"]]

    def look(self, stop: Event) -> None:
        """GET everything, about once a second, until `stop`."""
        with Client(self.port) as client:
            while not stop.wait(1):
                try:
                    self._look(client)
                except (Problem, TransportError) as error:
                    self.problems.append(f"looking: {error!r}")

    def _look(self, client: Client) -> None:
        video = next(client.videos(limit=1))  # the oldest: nobody deletes it
        segment = client.video(video.video_id).segments[0]
        paths = [f"/segments/{segment.segment_id}/{name}" for name in ("frame.jpg", "sound.wav")]
        paths += ["/videos", "/jobs", "/health/live", "/health/ready", "/metrics", "/openapi.json"]
        for path in (*paths, f"/videos/{video.video_id}/original"):
            status = client.http.get(path).status_code
            self.counts[f"GET {status}"] += 1
            if status != 200:
                self.problems.append(f"GET {path}: {status}")
