"""What is ingested, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.data.corpus import Annotation


@dataclass(frozen=True)
class Source:
    """Name a file to ingest; `uploaded` files belong to the library and go with their video.

    `audio_track`: which of its sound tracks to take, counted from 1; None for the default, or, of a file that is in the
    library already, the one that it was read with.
    `listed`: nobody named it, a directory holds it; then it may turn out to be no medium, and no failure.
    """

    path: Path
    file_name: str
    annotation: Annotation | None = None
    uploaded: bool = False
    audio_track: int | None = None
    listed: bool = False


@dataclass(frozen=True)
class Outcome:
    """Say what became of a file; `code` and `detail` tell why it failed, `note` what it lacks.

    `changing`: it changed or went while it was read, and is taken next time. `passed`: a directory holds it, and it is
    no medium.
    """

    path: Path
    state: Literal["added", "known", "failed", "changing", "passed"]
    video_id: str | None = None
    code: str | None = None
    detail: str | None = None
    note: str | None = None


def printable(path: Path) -> str:
    """Return a path as text; bytes of its name that are none become question marks."""
    return str(path).encode(errors="replace").decode()
