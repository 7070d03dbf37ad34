"""Gauges of the library and the model, read at every scrape."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import get_args

from app.library.session import Session
from app.telemetry.metrics import Metrics
from index.job_state import JobState
from index.records import Stats

NONE = "none"


def watch_library(metrics: Metrics, session: Session, device: Callable[[], str | None], version: str) -> None:
    """Add the gauges of a library's size, jobs and model, of what computed last, and of the service's version."""
    catalogue, stats = session.library.catalogue, LibraryStats(session)
    for name, help_text, read in (
        ("videos", "Videos in the library", lambda: stats().videos),
        ("seconds", "Seconds of footage in the library", lambda: stats().segments),
        ("failures", "Files that could not be ingested", catalogue.count_failures),
        ("catalogue_version", "Counts the changes of the catalogue", lambda: catalogue.catalogue_version),
        ("disk_free_bytes", "Free space where the library lies", lambda: shutil.disk_usage(session.library.media).free),
    ):
        metrics.watch(f"echolens_library_{name}", help_text, read)
    metrics.watch_each(
        "echolens_library_latents",
        "Items that can be searched, by modality",
        "modality",
        lambda: {"audio": stats().audio_latents, "visual": stats().visual_latents},
    )
    metrics.watch_each("echolens_jobs", "Jobs by state", "state", lambda: jobs_by_state(session))
    metrics.watch_info("echolens_model_info", "The model that serves", lambda: model_of(session, device()))
    metrics.watch_info("echolens_build_info", "The version of the service", lambda: {"version": version})


class LibraryStats:
    """Count a library's rows only when it has changed, not at every scrape."""

    def __init__(self, session: Session) -> None:
        self._catalogue = session.library.catalogue
        self._stats: Stats | None = None

    def __call__(self) -> Stats:
        """Return the counts of the catalogue as it is now."""
        stats = self._stats
        if stats is None or stats.catalogue_version != self._catalogue.catalogue_version:
            self._stats = stats = self._catalogue.stats()
        return stats


def jobs_by_state(session: Session) -> dict[str, float]:
    """Return how many jobs are in each state, zeros included."""
    found = session.library.catalogue.queue.counts()
    return {state: found.get(state, 0) for state in get_args(JobState)}


def model_of(session: Session, device: str | None) -> dict[str, str]:
    """Name the model that serves, and the device that computed last; `none` where there is none."""
    return {
        "fingerprint": session.library.catalogue.fingerprint or NONE,
        "front_end": session.front_end_name,
        "device": device or NONE,
    }
