"""What encodes and searches: a process of its own, with the library open, that does a batch at a time.

It shares no interpreter with what parses requests, so neither waits for the other's lock; and it is replaced when it
ends. It follows the catalogue as others change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from app.line.decoding import Decoded, Track
from app.line.encoding import Encoding, encode_many
from app.line.timings import Timings
from app.line.workers import Blame
from app.localization import Found, encodings, locate
from app.retrieval import Answer, Query, Question, Search, answer, search_many, stored_query
from app.searching import Searching
from app.session import Session
from app.shelves import Shelf
from model.device import DeviceName, choose_device
from model.encoder import Encoder
from model.errors import WorkerFailure
from model.latents import Latents
from model.msvae import Modality

ENGINE = __name__  # what processes are forked with: it imports what decoding needs as well
BLAME = Blame(
    died=lambda: WorkerFailure("the process that encodes and searches ended on this, twice: the log may say why"),
    slow=lambda limit_s: WorkerFailure(f"encoding and searching took over {limit_s:g} s and was ended: ask again"),
    swollen=lambda: WorkerFailure("encoding and searching takes more memory than there is: ask for less"),
)


@dataclass(frozen=True)
class Place:
    """Say which library is searched, how, and on what."""

    library: Path
    device: DeviceName
    searching: Searching


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
    timings_ms: dict[str, float]


Work = Retrieve | Localize | Read
Done = Answer | Found | Reading


def do_many(place: Place, works: Sequence[Work]) -> list[Done]:
    """Return what each asks for; all is encoded together and searched together. Raises what one of them raises."""
    _, session = _opened(place)
    timings = Timings()
    with timings.stage("encode"):
        shelves, encoders = _choose(session, works)
        latents = iter(encode_many([one for work, e in zip(works, encoders, strict=True) for one in _needed(work, e)]))
        encoded = [[next(latents) for _ in _needed(work, e)] for work, e in zip(works, encoders, strict=True)]
        queries = [_query(session, *one) for one in zip(works, encoders, encoded, strict=True)]
    with timings.stage("search"):
        asked = [
            Search(shelves[work.question.target], query.latents, work.question)
            for work, query in zip(works, queries, strict=True)
            if isinstance(work, Retrieve) and query is not None
        ]
        found = iter(search_many(asked))
    done: list[Done] = []
    for work, encoder, rows, query in zip(works, encoders, encoded, queries, strict=True):
        own = Timings(dict(timings.stages_ms))
        if isinstance(work, Localize):
            done.append(locate(encoder, work.name, work.decoded, rows[0], rows[1], own))
        elif isinstance(work, Retrieve):
            assert query is not None
            done.append(answer(shelves[work.question.target], work.question, query, next(found), own))
        else:
            assert query is not None
            done.append(Reading(query, {"encode": own.stages_ms["encode"]}))
    return done


def _choose(session: Session, works: Sequence[Work]) -> tuple[dict[Modality, Shelf], list[Encoder]]:
    """Return the shelves that are searched, and the model for each: a shelf's own, whatever is swapped in meanwhile."""
    targets: set[Modality] = {work.question.target for work in works if isinstance(work, Retrieve)}
    shelves = {target: session.shelf(target) for target in targets}
    encoders = [
        shelves[work.question.target].encoder if isinstance(work, Retrieve) else session.encoder for work in works
    ]
    return shelves, encoders


def _needed(work: Work, encoder: Encoder) -> list[Encoding]:
    if isinstance(work, Localize):
        return encodings(encoder, work.decoded)
    return [] if work.track is None else [Encoding(encoder, work.track.modality, work.track.rows, averaged=True)]


def _query(session: Session, work: Work, encoder: Encoder, encoded: list[Latents]) -> Query | None:
    if isinstance(work, Localize):
        return None
    if work.track is None:
        return stored_query(session, encoder, work.question)
    return Query(work.track.modality, encoded[0])


@cache
def _opened(place: Place) -> tuple[ExitStack, Session]:
    """Open the library once in this process, for as long as it lives."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    stack = ExitStack()
    device = choose_device(place.device)
    return stack, stack.enter_context(Session.open(place.library, device, create=False, searching=place.searching))
