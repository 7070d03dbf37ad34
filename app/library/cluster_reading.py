"""Read files on the machines of a cluster, which see them, and the library, under the same paths as this one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.library.examined import stamp_to_note
from app.library.held_videos import HeldVideos
from app.library.reading import Begun, FileReader, KnownVideo, Videos, track_of
from app.library.source import Source
from app.media.footage import Part
from app.processes.cluster import stream
from app.processes.decoder import FAILURE_ERRORS, MOST_BYTES, InWorkers
from app.processes.workers import Workers
from model.errors import Changing, EcholensError, MediaError, WorkerFailure
from model.media.medium import Limits

if TYPE_CHECKING:  # a worker of the cluster imports this module, and has no session
    from app.library.readers import Opened
    from app.library.session import Session

DECODES = "app.library.session"  # imports all that decoding needs
MOST_PART_S = 4 * 3600.0  # that decoding ten minutes of a file may take, as with a service
Read = Begun | Part | EcholensError
Expected = TypeVar("Expected", Begun, Part)


@dataclass(frozen=True)
class FrontEndPlace:
    """Name a front-end, where its weights lie, and the release of Echolens that asks."""

    name: str
    weights: Path
    release: str = field(default_factory=lambda: version("echolens"))


@dataclass(eq=False)
class ClusterReader:
    """Decode files on a cluster, in order, as far ahead as it has room; `stop` as of `LocalReader`."""

    session: Session
    limits: Limits
    stop: Callable[[], bool]
    _of_file: Iterator[Read] = field(default_factory=lambda: iter(()), init=False)  # what is still to come of one

    def begun(self, sources: Iterable[Source]) -> Iterator[Opened]:
        """Yield as `Reader.begun`."""
        listed = list(sources)
        stamps = [stamp_to_note(source.path) for source in listed]
        with closing(self._read([(source, None) for source in listed])) as results:
            for number, of_file in groupby(results, itemgetter(0)):
                self._of_file = map(itemgetter(1), of_file)
                first: Begun | MediaError
                try:
                    first = _next(self._of_file, Begun)
                except MediaError as error:
                    first = error
                yield listed[number], stamps[number], first

    def parts(
        self, source: Source, begun: Begun, known: KnownVideo | None, start_s: int
    ) -> Generator[Part, None, None]:
        """Yield as `Reader.parts`."""
        if begun.part is not None and begun.part.start_s == start_s:
            yield from self._following(begun.part, self._of_file)
            return
        if begun.error is not None:
            raise begun.error
        # A twin was taken in, or failed, since that was decoded; or what was committed cannot be gone on with.
        asked = replace(source, audio_track=track_of(source, known))
        with closing(self._read([(asked, start_s)], cores=0)) as results:
            of_file = map(itemgetter(1), results)
            again = _next(of_file, Begun)
            if again.facts.sha256 != begun.facts.sha256:
                raise Changing(
                    f"{source.path.name} changes while it is read: it is taken next time, once it is written"
                )
            if again.error is not None:
                raise again.error
            assert again.part is not None, "it was told where to begin"
            yield from self._following(again.part, of_file)

    def _following(self, part: Part, of_file: Iterator[Read]) -> Iterator[Part]:
        yield part
        while not (part.ended or self.stop()):
            part = _next(of_file, Part)
            yield part

    def _read(
        self, files: Sequence[tuple[Source, int | None]], cores: int = 1
    ) -> Generator[tuple[int, Read], None, None]:
        library = self.session.library
        videos = HeldVideos.of(library.catalogue)
        front_end = FrontEndPlace(self.session.front_end_name, library.frontends)
        return stream(files, read_file, front_end, videos, library.previews, self.limits, cores=cores)


def read_file(
    file: tuple[Source, int | None], front_end: FrontEndPlace, videos: Videos, previews: Path, limits: Limits
) -> Iterator[Read]:
    """Yield, on a machine of the cluster, a file as begun and the parts that follow, or the error that ends it.

    It begins at the given second, by default at the one that the library needs.
    """
    if front_end.release != (own := version("echolens")):
        yield WorkerFailure(
            f"a machine of the cluster has Echolens {own}, {front_end.release} expected: install the same on all"
        )
        return
    source, start_s = file
    decoder = InWorkers(_workers(), front_end.name, front_end.weights, MOST_PART_S)
    reader = FileReader(decoder, videos, previews, limits)
    try:
        begun = reader.begin(source, start_s)
        yield begun
        part, known = begun.part, videos.find_by_sha256(begun.facts.sha256)
        while not (part is None or part.ended):
            part = reader.decode(source, begun, known, part.stop_s)
            yield part
    except EcholensError as error:
        yield error


@cache
def _workers() -> Workers:
    """Return the process in which a worker of the cluster decodes: it may crash, hang or swell, and ends with it."""
    vars(sys.modules["__main__"]).pop("__file__", None)  # else that process imports Ray's main program before it begins
    return Workers(1, MOST_BYTES, "decode", DECODES, FAILURE_ERRORS, renewed=True)


def _next(of_file: Iterator[Read], kind: type[Expected]) -> Expected:
    """Return what comes next of a file. Raises the error that comes in its place."""
    read = next(of_file)
    if isinstance(read, EcholensError):
        raise read
    assert isinstance(read, kind), "a file is begun, then its parts follow"
    return read
