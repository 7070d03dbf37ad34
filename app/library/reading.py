"""Read a file part by part, in this process or on another machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.library.changing import FileState, state_of, unchanged
from app.library.source import Source, printable
from app.media.decoding import Facts, inspect
from app.media.footage import Part, decode_part
from app.media.previews import remove_partial
from model.data.feature_parts import part_stop_s
from model.errors import MediaError, NotReadable
from model.media.medium import DECODING, Limits

if TYPE_CHECKING:  # this module is also imported where nothing is decoded but in a process beside
    from app.processes.decoder import Decoder


@dataclass(frozen=True, eq=False)
class Begun:
    """Hold what was decoded of a file ahead of its turn: the first part that is needed, or why there is none.

    Both are None of a file that the library holds. `state`: the file's before it was read.
    """

    facts: Facts
    state: FileState | None
    part: Part | None = None
    error: MediaError | None = None


class KnownVideo(Protocol):
    """Say how the library's video of a file was read; fields as of `Video`."""

    @property
    def video_id(self) -> str: ...  # noqa: D102
    @property
    def audio_track(self) -> int | None: ...  # noqa: D102
    @property
    def decoding(self) -> int: ...  # noqa: D102
    @property
    def complete(self) -> bool: ...  # noqa: D102


class Videos(Protocol):
    """Tell which files the library holds, as `Catalogue` does."""

    def find_by_sha256(self, sha256: str) -> KnownVideo | None:
        """Return the video with this content, if there is one."""
        ...

    def end_s(self, video_id: str) -> int:
        """Return where the last second of a video ends."""
        ...


@dataclass(frozen=True, eq=False)
class FileReader:
    """Decode parts of files, and write their previews, each video's into a directory of `previews`."""

    decoder: Decoder
    videos: Videos
    previews: Path
    limits: Limits

    def begin(self, source: Source, start_s: int | None = None) -> Begun:
        """Decode the first part that the library needs of a file, or that of `start_s`. Raises MediaError."""
        if printable(source.path) != str(source.path):
            raise NotReadable(f"the name {printable(source.path)} is not in UTF-8, which is expected: rename the file")
        state = state_of(source.path)
        with unchanged(source.path, state):
            facts = self.decoder.submit(inspect, source.path, self.limits, source.audio_track).result()
        known = self.videos.find_by_sha256(facts.sha256)
        begun = Begun(facts, state)
        if start_s is None and (start_s := start_of(source, known, self.videos)) is None:
            return begun
        remove_partial(self._previews_of(facts))
        try:
            return replace(begun, part=self.decode(source, begun, known, start_s))
        except MediaError as error:
            return replace(begun, error=error)
        except BaseException:
            if known is None:
                shutil.rmtree(self._previews_of(facts), ignore_errors=True)
            raise

    def decode(self, source: Source, begun: Begun, known: KnownVideo | None, start_s: int) -> Part:
        """Decode the part that begins at a second. Raises MediaError; LibraryError where no preview can be written."""
        previews, stop_s = self._previews_of(begun.facts), part_stop_s(start_s)
        track = track_of(source, known)
        with unchanged(source.path, begun.state):
            return self.decoder.submit(decode_part, source.path, self.limits, previews, start_s, stop_s, track).result()

    def _previews_of(self, facts: Facts) -> Path:
        return self.previews / facts.sha256[:16]


def start_of(source: Source, known: KnownVideo | None, videos: Videos) -> int | None:
    """Return from which second on a file must be read, given the video that holds it; None if it need not be."""
    if known is None or needs_another_track(source, known):
        return 0
    if not known.complete:
        return videos.end_s(known.video_id)
    return 0 if known.decoding < DECODING else None


def needs_another_track(source: Source, known: KnownVideo) -> bool:
    """Say whether a file is to be read with another sound track than it was."""
    return source.audio_track not in (None, known.audio_track)


def track_of(source: Source, known: KnownVideo | None) -> int | None:
    """Return which sound track of a file is read; None for the default one."""
    return source.audio_track or (known.audio_track if known else None)


def length_of(facts: Facts, seconds: int) -> float:
    """Return a file's length, given how many seconds were read so far: a declared one may be too short."""
    declared_s = facts.declared_s
    return float(seconds) if declared_s is None or declared_s <= seconds - 1 else declared_s
