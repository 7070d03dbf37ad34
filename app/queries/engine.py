"""The engine: it encodes a batch of questions together, searches for them together and finishes each.

The command line runs it as a batch of one in its own process. The service runs it in a process of its own, which
shares no interpreter with what parses requests, follows the catalogue as others change it, and is replaced when it
ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.library.index_settings import IndexSettings
from app.library.session import Session
from app.media.decoding import Decoded
from app.media.timings import Timings
from app.processes.cores import use_threads
from app.processes.decoder import Call
from app.processes.workers import FailureErrors
from app.queries.encoding import encode_many
from app.queries.search import search_many
from app.queries.work import Answer, Answered, AnyWork, Serving, Work
from index.gallery import SearchResult
from model.errors import DeviceError, EcholensError, WorkerFailure
from model.media.medium import Limits
from model.modality import MODALITIES
from model.network.device import DeviceName, choose_device, device_failure, name_of

T = TypeVar("T")
FAILURE_ERRORS = FailureErrors(
    died=lambda: WorkerFailure("the process that encodes and searches ended on this, twice: the log may say why"),
    slow=lambda limit_s: WorkerFailure(f"encoding and searching took over {limit_s:g} s and was ended: ask again"),
    swollen=lambda: WorkerFailure("encoding and searching takes more memory than there is: ask for less"),
)


@dataclass(frozen=True)
class EngineSettings:
    """Say which library is searched, how, and on what."""

    library: Path
    device: DeviceName
    index_settings: IndexSettings


def answer(session: Session, work: Work[Any, Answered], limits: Limits) -> Answered:
    """Answer one question in this thread.

    Raises:
        MediaError: a file cannot be used. QueryError: the question makes no sense.
        LibraryError: nothing to search, no model, or one that does not match.
    """
    work.check()
    timings = Timings()
    if (call := work.decoding(limits)) is not None:
        decoded = session.decoder.submit(call.function, *call.args).result()
        timings.stages_ms |= decoded.timings_ms
        work = work.decoded(decoded)
    outcome: Answered | EcholensError = answer_many(session, [work])[0]
    if isinstance(outcome, EcholensError):
        raise outcome
    with timings.stage("generate") if outcome.is_rendered else nullcontext():
        outcome = outcome.render(session.front_end_of)
    return outcome.timed(timings)


def answer_many(session: Session, works: Sequence[AnyWork]) -> list[Any]:
    """Return for each question whose files are decoded its answer, or the EcholensError that it alone has."""
    timings = Timings()
    with timings.stage("encode"):
        serving = _serving(session, works)
        encoded = _encode(session, works, serving)
    with timings.stage("search"):
        found = _search(works, serving, encoded)
    return [_outcome(_finish, *one, timings) for one in zip(works, serving, encoded, found, strict=True)]


@dataclass(frozen=True, eq=False)
class Undecoded:
    """A question whose file the engine decodes itself; `front_end`: the name of the one that `call` needs."""

    work: AnyWork
    call: Call[Decoded]
    front_end: str

    def decoded(self, session: Session) -> tuple[AnyWork, Timings]:
        """Return the question with its features, and what they took. Raises what the call raises, FrontEndError."""
        decoded = self.call.function(session.front_end_of(self.front_end), *self.call.args)
        return self.work.decoded(decoded), Timings(decoded.timings_ms)


def answer_all(session: Session, asked: Sequence[AnyWork | Undecoded]) -> list[Any]:
    """Return what `answer_many` does, after decoding what is not decoded."""
    ready = [_outcome(_decoded, session, one) for one in asked]
    answers = iter(answer_many(session, [one[0] for one in ready if not isinstance(one, EcholensError)]))
    return [one if isinstance(one, EcholensError) else _timed(next(answers), one[1]) for one in ready]


@dataclass(frozen=True)
class Ran(Generic[T]):
    """Hold what a call in the engine's process returned, and the name of the device that it computed on."""

    device: str
    result: T


def run(settings: EngineSettings, function: Callable[..., T], *args: Any) -> Ran[T]:
    """Call a function with the session of the service's engine process.

    Raises what it raises, and DeviceError where the GPU failed: this process is to end.
    """
    try:
        _, session = _opened(settings)
        return Ran(name_device(session), function(session, *args))
    except Exception as error:
        if (failure := device_failure(error)) is not None:
            raise failure from error
        raise


def name_device(session: Session) -> str:
    """Return the name of the device that the engine computes on."""
    return name_of(session.device)


def open_galleries(session: Session) -> None:
    """Build what questions are answered from; what the library lacks is said when it is asked."""
    for modality in MODALITIES:
        _outcome(session.gallery, modality)


def _decoded(session: Session, one: AnyWork | Undecoded) -> tuple[AnyWork, Timings]:
    return one.decoded(session) if isinstance(one, Undecoded) else (one, Timings())


def _timed(answer: Answer | EcholensError, spent: Timings) -> Answer | EcholensError:
    return answer.timed(spent) if isinstance(answer, Answer) and spent.stages_ms else answer


def _serving(session: Session, works: Sequence[AnyWork]) -> list[Serving | EcholensError]:
    """Return each question's model and gallery: of a gallery the model that encoded it, even if another serves now."""

    def of(target: Any) -> Serving:
        if target is None:
            encoder, gallery = session.encoder, None
        else:
            gallery = session.gallery(target)
            encoder = gallery.encoder
        return Serving(encoder, gallery, session.warnings(encoder))

    found = {target: _outcome(of, target) for target in {work.target for work in works}}
    return [found[work.target] for work in works]


def _encode(session: Session, works: Sequence[AnyWork], serving: Sequence[Serving | EcholensError]) -> list[Any]:
    wanted = [
        by if isinstance(by, EcholensError) else _outcome(work.encodings, by)
        for work, by in zip(works, serving, strict=True)
    ]
    asked = [encodings for encodings in wanted if not isinstance(encodings, EcholensError)]
    latents = iter(encode_many([encoding for encodings in asked for encoding in encodings]))
    encoded: list[Any] = []
    for work, by, encodings in zip(works, serving, wanted, strict=True):
        if isinstance(encodings, EcholensError):
            encoded.append(encodings)
        else:
            encoded.append(_outcome(work.encoded, session, by, [next(latents) for _ in encodings]))
    return encoded


def _search(
    works: Sequence[AnyWork], serving: Sequence[Serving | EcholensError], encoded: Sequence[Any]
) -> list[SearchResult | None]:
    searches = {
        row: search
        for row, (work, by, query) in enumerate(zip(works, serving, encoded, strict=True))
        if isinstance(by, Serving) and by.gallery is not None and not isinstance(query, EcholensError)
        if (search := work.search(by.gallery, query)) is not None
    }
    found = dict(zip(searches, search_many(list(searches.values())), strict=True))
    return [found.get(row) for row in range(len(works))]


def _finish(work: AnyWork, serving: Any, encoded: Any, found: SearchResult | None, timings: Timings) -> Answer:
    if isinstance(encoded, EcholensError):
        raise encoded
    finished: Answer = work.finish(serving, encoded, found, Timings(dict(timings.stages_ms)))
    notes = (*work.notes, *finished.notes)
    return replace(finished, device=serving.encoder.device_name, warnings=serving.warnings, notes=notes)


def _outcome(function: Callable[..., T], *args: Any) -> T | EcholensError:
    try:
        return function(*args)
    except DeviceError:  # not this question's own: nothing more can be computed in this process
        raise
    except EcholensError as error:
        return error


@cache
def _opened(settings: EngineSettings) -> tuple[ExitStack, Session]:
    """Open the library once in this process, for as long as it lives."""
    use_threads(1)
    stack = ExitStack()
    device = choose_device(settings.device)
    return stack, stack.enter_context(
        Session.open(settings.library, device, create=False, index_settings=settings.index_settings)
    )
