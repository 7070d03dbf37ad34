"""Readers: they read the files of an ingest, in order, ahead of the one who writes them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from app.library.examined import stamp_to_note
from app.library.reading import Begun, FileReader, KnownVideo
from app.library.session import Session
from app.library.source import Source
from app.media.footage import Part
from app.processes.ahead import ahead
from index.records import FileStamp
from model.errors import MediaError
from model.media.medium import Limits

Opened = tuple[Source, FileStamp | None, Begun | MediaError]


class Reader(Protocol):
    """Read files for a library; told to stop, it leaves after the part at work."""

    @property
    def session(self) -> Session: ...  # noqa: D102
    @property
    def limits(self) -> Limits: ...  # noqa: D102

    def begun(self, sources: Iterable[Source]) -> Iterator[Opened]:
        """Yield each file, in order, with its `stamp_to_note` and the first part that the library needs of it."""
        ...

    def parts(
        self, source: Source, begun: Begun, known: KnownVideo | None, start_s: int
    ) -> Generator[Part, None, None]:
        """Yield the parts of a file from a second on, up to its end or until told to stop. Raises MediaError.

        Close it: no part is being decoded any more then.
        """
        ...


@dataclass(frozen=True, eq=False)
class LocalReader:
    """Decode files where the library's front-end is, `most_ahead` of them ahead; `stop` says whether to stop."""

    session: Session
    limits: Limits
    pool: ThreadPoolExecutor
    most_ahead: int
    stop: Callable[[], bool]

    def begun(self, sources: Iterable[Source]) -> Iterator[Opened]:
        """Yield as `Reader.begun`."""
        for source, opened in ahead(self.pool, self._begin, sources, self.most_ahead):
            yield source, *opened.result()

    def _begin(self, source: Source) -> tuple[FileStamp | None, Begun | MediaError]:
        stamp = stamp_to_note(source.path)
        try:
            return stamp, self._files.begin(source)
        except MediaError as error:
            return stamp, error

    def parts(
        self, source: Source, begun: Begun, known: KnownVideo | None, start_s: int
    ) -> Generator[Part, None, None]:
        """Yield as `Reader.parts`."""
        decode = self._files.decode
        part = begun.part
        if part is None or part.start_s != start_s:  # else a twin was taken in, or failed, since that was decoded
            if begun.error is not None:
                raise begun.error
            part = decode(source, begun, known, start_s)
        following: Future[Part] | None = None
        try:
            while True:
                if not (part.ended or self.stop()):
                    following = self.pool.submit(decode, source, begun, known, part.stop_s)
                yield part
                if following is None:
                    return
                part, following = following.result(), None
        finally:
            if following is not None and not following.cancel():
                wait([following])  # else its previews would come after those of a refused file were removed

    @cached_property
    def _files(self) -> FileReader:
        library = self.session.library
        return FileReader(self.session.footage_decoder, library.catalogue, library.previews, self.limits)
