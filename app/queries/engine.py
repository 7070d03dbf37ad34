"""What encodes and searches: a process of its own, with the library open, that does a batch at a time.

It shares no interpreter with what parses requests, so neither waits for the other's lock; and it is replaced when it
ends. It follows the catalogue as others change it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from app.library.galleries import ServedGallery
from app.library.index_settings import IndexSettings
from app.library.session import Session
from app.media.decoding import Decoded, Track
from app.media.timings import Timings
from app.processes.cores import use_threads
from app.processes.workers import FailureErrors
from app.queries.encoding import Encoding, encode_many
from app.queries.localization import Found, encodings, locate
from app.queries.retrieval import Answer, Query, Question, Search, answer, search_many, stored_query
from index.gallery import SearchResult
from model.data.latents import Latents
from model.errors import EcholensError, WorkerFailure
from model.modality import Modality
from model.network.device import DeviceName, choose_device
from model.network.encoder import Encoder

T = TypeVar("T")
ENGINE = __name__  # what processes are forked with: it imports what decoding needs as well
FAILURE_ERRORS = FailureErrors(
    died=lambda: WorkerFailure("the process that encodes and searches ended on this, twice: the log may say why"),
    slow=lambda limit_s: WorkerFailure(f"encoding and searching took over {limit_s:g} s and was ended: ask again"),
    swollen=lambda: WorkerFailure("encoding and searching takes more memory than there is: ask for less"),
)


@dataclass(frozen=True)
class Served:
    """Say which library is searched, how, and on what."""

    library: Path
    device: DeviceName
    index_settings: IndexSettings


@dataclass(frozen=True, eq=False)
class Retrieve:
    """Answer a question whose file was decoded; without a track the query is its segment."""

    question: Question
    track: Track | None


@dataclass(frozen=True, eq=False)
class Localize:
    """Find the window in a clip of this name."""

    name: str
    decoded: Decoded


@dataclass(frozen=True, eq=False)
class Read:
    """Return a query's latents, of a track or of the question's segment."""

    question: Question
    track: Track | None


@dataclass(frozen=True, eq=False)
class Reading:
    """Hold what a query was read as, and what that took."""

    query: Query
    fingerprint: str
    timings_ms: dict[str, float]


Work = Retrieve | Localize | Read
Done = Answer | Found | Reading


@dataclass(frozen=True, eq=False)
class _Encoded:
    """Hold a work's query once it is encoded, by which model; what is searched, and the latents of a clip, if any."""

    served: ServedGallery | None
    encoder: Encoder
    query: Query
    target: Latents | None = None


def do_many(served: Served, works: Sequence[Work]) -> list[Done | EcholensError]:
    """Return what each asks for, or why it cannot be had; all is encoded together and searched together."""
    _, session = _opened(served)
    timings = Timings()
    with timings.stage("encode"):
        read = _read_all(session, works)
    with timings.stage("search"):
        found = _search_all(works, read)
    return [_tried(_finish, *one, timings) for one in zip(works, read, found, strict=True)]


def _tried(function: Callable[..., T], *args: Any) -> T | EcholensError:
    try:
        return function(*args)
    except EcholensError as error:
        return error


def _read_all(session: Session, works: Sequence[Work]) -> list[_Encoded | EcholensError]:
    """Encode what has features, and read from the library what is there: by the model of the searched gallery."""
    targets: set[Modality] = {work.question.target for work in works if isinstance(work, Retrieve)}
    galleries = {target: _tried(session.gallery, target) for target in targets}
    serving = _tried(lambda: session.encoder)
    chosen = [
        (None, serving) if not isinstance(work, Retrieve) else _shelf_and_model(galleries[work.question.target])
        for work in works
    ]
    wanted = [
        [] if isinstance(encoder, EcholensError) else _encodings(work, encoder)
        for work, (_, encoder) in zip(works, chosen, strict=True)
    ]
    latents = iter(encode_many([encoding for asked in wanted for encoding in asked]))
    read: list[_Encoded | EcholensError] = []
    for work, (served, encoder), asked in zip(works, chosen, wanted, strict=True):
        rows = [next(latents) for _ in asked]
        if isinstance(encoder, EcholensError):
            read.append(encoder)
        elif isinstance(work, Localize):
            read.append(_Encoded(served, encoder, Query(work.decoded.query.modality, rows[0]), rows[1]))
        elif work.track is not None:
            read.append(_Encoded(served, encoder, Query(work.track.modality, rows[0])))
        else:
            query = _tried(stored_query, session, encoder, work.question)
            read.append(query if isinstance(query, EcholensError) else _Encoded(served, encoder, query))
    return read


def _shelf_and_model(served: ServedGallery | EcholensError) -> tuple[ServedGallery | None, Encoder | EcholensError]:
    return (None, served) if isinstance(served, EcholensError) else (served, served.encoder)


def _encodings(work: Work, encoder: Encoder) -> list[Encoding]:
    if isinstance(work, Localize):
        return encodings(encoder, work.decoded)
    return [] if work.track is None else [Encoding(encoder, work.track.modality, work.track.rows, averaged=True)]


def _search_all(works: Sequence[Work], read: Sequence[_Encoded | EcholensError]) -> list[SearchResult | None]:
    searches = {
        at: Search(one.served, one.query.latents, work.question)
        for at, (work, one) in enumerate(zip(works, read, strict=True))
        if isinstance(work, Retrieve) and isinstance(one, _Encoded) and one.served is not None
    }
    found = dict(zip(searches, search_many(list(searches.values())), strict=True))
    return [found.get(at) for at in range(len(works))]


def _finish(work: Work, read: _Encoded | EcholensError, found: SearchResult | None, timings: Timings) -> Done:
    if isinstance(read, EcholensError):
        raise read
    own = Timings(dict(timings.stages_ms))
    if isinstance(work, Localize):
        assert read.target is not None
        return locate(read.encoder, work.name, work.decoded, read.query.latents, read.target, own)
    if isinstance(work, Retrieve):
        assert read.served is not None
        assert found is not None
        return answer(read.served, work.question, read.query, found, own)
    return Reading(read.query, read.encoder.fingerprint, {"encode": own.stages_ms["encode"]})


@cache
def _opened(served: Served) -> tuple[ExitStack, Session]:
    """Open the library once in this process, for as long as it lives."""
    use_threads(1)
    stack = ExitStack()
    device = choose_device(served.device)
    return stack, stack.enter_context(
        Session.open(served.library, device, create=False, index_settings=served.index_settings)
    )
