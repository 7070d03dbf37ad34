"""Videos, jobs and latents to fill a catalogue with."""

from __future__ import annotations

import numpy as np
from latent_samples import clustered_latents

from index.catalogue import Catalogue
from index.records import Job, LatentBatch, Video
from model.data.latents import Latents

SECONDS = [(0, True, True), (1, False, True), (2, True, False)]


def video(number: int, label: str | None = None) -> Video:
    sha256 = f"{number:064x}"[::-1]
    return Video(
        video_id=sha256[:16],
        sha256=sha256,
        path=f"/footage/{number}.mp4",
        file_name=f"{number}.mp4",
        media_type="video/mp4",
        duration_s=3.0,
        uploaded=False,
        label=label,
        event_start_s=None,
        event_end_s=None,
        added_at=f"2026-01-01T00:00:{number:02d}+00:00",
    )


def job(number: int) -> Job:
    return Job(
        job_id=f"job-{number}",
        kind="ingest",
        state="queued",
        payload={"path": "/ä/b", "n": [1, 2]},
        progress=0.0,
        result={},
        created_at="2026-01-01T00:00:00+00:00",
        updated_at="2026-01-01T00:00:00+00:00",
    )


def same(a: Latents, b: Latents) -> bool:
    return all(
        x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
        for x, y in ((a.mu, b.mu), (a.sigma, b.sigma), (a.generated, b.generated))
    )


def ingest(catalogue: Catalogue, number: int, label: str | None = None) -> tuple[Latents, Latents]:
    audio, visual = clustered_latents(2, seed=number), clustered_latents(2, seed=number + 1000)
    seconds = np.array([0, 2]), np.array([0, 1])
    catalogue.ingest(video(number, label), SECONDS, LatentBatch(seconds[0], audio), LatentBatch(seconds[1], visual))
    return audio, visual
