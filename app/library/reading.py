"""Read a file part by part: each is decoded while the one before is written."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from app.library.changing import FileState, state_of, unchanged
from app.library.session import Session
from app.library.source import Source, printable
from app.media.decoding import Facts, inspect
from app.media.footage import Part, decode_part
from app.media.previews import Previews
from index.records import Video
from model.data.feature_parts import part_stop_s
from model.errors import MediaError, NotReadable
from model.media.medium import DECODING, Limits


@dataclass(frozen=True, eq=False)
class Begun:
    """Hold what was decoded of a file ahead of its turn: the first part that is needed, or why there is none.

    Both are None of a file that the library holds. `state`: the file's before it was read.
    """

    facts: Facts
    state: FileState | None
    part: Part | None = None
    error: MediaError | None = None


@dataclass(frozen=True, eq=False)
class Reader:
    """Decode files where the library's front-end is; `stop` says whether to leave after the part at work."""

    session: Session
    limits: Limits
    pool: ThreadPoolExecutor
    stop: Callable[[], bool]

    def begin(self, source: Source) -> Begun:
        """Decode the first part that the library needs of a file. Raises MediaError if it is none."""
        if printable(source.path) != str(source.path):
            raise NotReadable(f"the name {printable(source.path)} is not in UTF-8, which is expected: rename the file")
        decoder, state = self.session.footage_decoder, state_of(source.path)
        with unchanged(source.path, state):
            facts = decoder.submit(inspect, source.path, self.limits, source.audio_track).result()
        known = self.session.library.catalogue.find_by_sha256(facts.sha256)
        start_s = self.start_s(source, known)
        if start_s is None:
            return Begun(facts, state)
        begun = Begun(facts, state)
        Previews(self.session.library, facts.sha256[:16]).remove_partial()
        try:
            return replace(begun, part=self._decode(source, begun, known, start_s))
        except MediaError as error:
            return replace(begun, error=error)
        except BaseException:
            if known is None:
                Previews(self.session.library, facts.sha256[:16]).remove()
            raise

    def start_s(self, source: Source, known: Video | None) -> int | None:
        """Return from which second on a file must be read, given the video that holds it; None if it need not be."""
        if known is None or needs_another_track(source, known):
            return 0
        if not known.complete:
            return self.session.library.catalogue.end_s(known.video_id)
        return 0 if known.decoding < DECODING else None

    def parts(self, source: Source, begun: Begun, known: Video | None, start_s: int) -> Generator[Part, None, None]:
        """Yield the parts of a file from a second on, up to its end or until told to stop. Raises MediaError.

        Close it: no part is being decoded any more then.
        """
        part = begun.part
        if part is None or part.start_s != start_s:  # else a twin was taken in, or failed, since that was decoded
            if begun.error is not None:
                raise begun.error
            part = self._decode(source, begun, known, start_s)
        following: Future[Part] | None = None
        try:
            while True:
                if not (part.ended or self.stop()):
                    following = self.pool.submit(self._decode, source, begun, known, part.stop_s)
                yield part
                if following is None:
                    return
                part, following = following.result(), None
        finally:
            if following is not None and not following.cancel():
                wait([following])  # else its previews would come after those of a refused file were removed

    def _decode(self, source: Source, begun: Begun, known: Video | None, start_s: int) -> Part:
        track = source.audio_track or (known.audio_track if known else None)
        previews = Previews(self.session.library, begun.facts.sha256[:16]).directory
        decoder, stop_s = self.session.footage_decoder, part_stop_s(start_s)
        with unchanged(source.path, begun.state):
            return decoder.submit(decode_part, source.path, self.limits, previews, start_s, stop_s, track).result()


def needs_another_track(source: Source, known: Video) -> bool:
    """Say whether a file is to be read with another sound track than it was."""
    return source.audio_track not in (None, known.audio_track)


def length_of(facts: Facts, seconds: int) -> float:
    """Return a file's length, given how many seconds were read so far: a declared one may be too short."""
    declared_s = facts.declared_s
    return float(seconds) if declared_s is None or declared_s <= seconds - 1 else declared_s
