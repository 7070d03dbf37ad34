"""The service's way from a question to its answer: decoders, if it takes any, then the engine's next batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from app.library.session import Session
from app.media.timings import Timings
from app.processes.batching import Batcher
from app.processes.decoder import Decoder
from app.processes.together import Together
from app.queries.engine import Undecoded, answer_all
from app.queries.engine_process import EngineProcess
from app.queries.retrieval import Hits, Retrieval
from app.queries.work import Answer, Answered, AnyWork, Work
from app.telemetry.metrics import Metrics
from model.errors import DeviceError, EcholensError, FrontEndError, LibraryChanged
from model.frontends.names import QUICK_TO_HEAR
from model.media.medium import Limits

T = TypeVar("T")
TRIES = 3  # for a question that meets a change of the front-end
MOST_BATCH = 64


class Pipeline:
    """Answer the questions of one event loop; each raises what `engine.answer` raises."""

    def __init__(
        self, session: Session, engine: EngineProcess, limits: Limits, metrics: Metrics, decoders: int = 1
    ) -> None:
        """`limits`: what one query file may cost; `decoders`: the processes that decode them."""
        self._session, self._limits, self._metrics = session, limits, metrics
        self._engine = engine
        self._front_end: str | None = None  # the one that serves, as the engine said last
        self._together = Together(decoders + 1)  # so that the next call lies ready when one ends
        self._batches = Batcher[AnyWork | Undecoded, Answer](self._do, MOST_BATCH, metrics.observe_batch)

    @property
    def waiting(self) -> int:
        """Return how many questions wait for their batch."""
        return self._batches.waiting

    @property
    def waiting_files(self) -> int:
        """Return how many files wait to be given to a decoder."""
        return self._together.waiting

    async def retrieve(self, work: Retrieval) -> Hits:
        """Find the seconds that fit best."""
        hits = await self.answer(work)
        self._metrics.observe_search(hits.search.certified)
        return hits

    async def retrieve_all(self, works: Sequence[Retrieval]) -> list[Hits | EcholensError]:
        """Answer questions side by side, in order: each gets its answer or its own error, but for DeviceError."""
        outcomes = await asyncio.gather(*map(self.retrieve, works), return_exceptions=True)
        answered: list[Hits | EcholensError] = []
        for outcome in outcomes:
            if isinstance(outcome, DeviceError) or not isinstance(outcome, Hits | EcholensError):
                raise outcome  # the former fails them all
            answered.append(outcome)
        return answered

    async def answer(self, work: Work[Any, Answered]) -> Answered:
        """Answer any question."""
        work.check()
        timings = TimingsWithWait()

        async def ask(decoder: Decoder) -> Answered:
            if (call := work.decoding(self._limits)) is None:
                return await self.answer_decoded(work)
            if call.is_harmless and self._engine_rests and decoder.front_end_name in QUICK_TO_HEAR:
                return cast(Answered, await self._batches.do(Undecoded(work, call, decoder.front_end_name)))
            decoded = await self._together.do(decoder, call)
            timings.stages_ms |= decoded.timings_ms
            return await self.answer_decoded(work.decoded(decoded))

        answered = await self.by_serving_front_end(ask)
        if answered.is_rendered:
            with timings.stage("generate"):
                answered = await asyncio.to_thread(answered.render, self._session.front_end_of)
        answered = answered.timed(timings)
        self._metrics.observe_stages(answered.timings_ms)
        return answered

    async def answer_decoded(self, work: Work[Any, Answered]) -> Answered:
        """Answer a question whose files are decoded, in the engine's next batch."""
        return cast(Answered, await self._batches.do(work))

    async def by_serving_front_end(self, ask: Callable[[Decoder], Awaitable[T]]) -> T:
        """Return what `ask` returns with the decoder of the front-end that serves.

        Where the library has changed its front-end, it is asked again with that one.
        """
        for tries in range(1, TRIES + 1):
            name = self._front_end = self._front_end or self._session.front_end_name
            try:
                return await ask(self._session.decoder_of(name))
            except LibraryChanged as error:
                self._front_end = error.front_end
                if error.front_end is None or tries == TRIES:
                    raise
            except FrontEndError:  # such as the weights of one that the library has given up
                self._front_end = None
                if tries == TRIES or name == self._session.front_end_name:
                    raise
        raise AssertionError("the last try returns or raises")

    @property
    def _engine_rests(self) -> bool:
        """Say whether the engine can decode a file itself, and hold up nobody: it saves a trip to another process."""
        return self._batches.is_idle and self._engine.is_idle

    async def _do(self, works: Sequence[AnyWork | Undecoded]) -> Sequence[Answer | EcholensError]:
        return await asyncio.wrap_future(self._engine.submit(answer_all, works))


class TimingsWithWait(Timings):
    """Add to the stages how long a request waited for its turns: the rest of its total."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.perf_counter()

    def report(self) -> dict[str, float]:
        """Return the stages, `wait`, and the total that they sum to."""
        total_ms = 1000 * (time.perf_counter() - self._started)
        self.add("wait", max(0.0, total_ms - sum(self.stages_ms.values())))
        return super().report()
