"""The service's way from a question to its answer: decoders, then the engine, which takes what waits as one batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

from app.library.session import Session
from app.media.timings import Timings
from app.processes.batching import Batcher
from app.processes.workers import Workers
from app.queries.engine import EngineSettings, answer_batch
from app.queries.retrieval import Hits, Retrieval
from app.queries.work import Answer, Answered, AnyWork, Work
from app.telemetry.metrics import Metrics
from model.errors import EcholensError
from model.media.medium import Limits

MOST_BATCH = 64
MOST_BATCH_S = 600.0  # the first builds galleries, which takes minutes for millions of items


class Pipeline:
    """Answer the questions of one event loop; each raises what `engine.answer` raises."""

    def __init__(
        self, session: Session, engine: Workers, settings: EngineSettings, limits: Limits, metrics: Metrics
    ) -> None:
        """`limits`: what one query file may cost."""
        self._session, self._limits, self._metrics = session, limits, metrics
        self._engine, self._settings = engine, settings
        self._batches = Batcher[AnyWork, Answer](self._do, MOST_BATCH, metrics.observe_batch)

    @property
    def waiting(self) -> int:
        """Return how many questions wait for their batch."""
        return self._batches.waiting

    async def retrieve(self, work: Retrieval) -> Hits:
        """Find the seconds that fit best."""
        hits = await self.answer(work)
        self._metrics.observe_search(hits.search.certified)
        return hits

    async def retrieve_all(self, works: Sequence[Retrieval]) -> list[Hits | EcholensError]:
        """Answer questions side by side, in order: each gets its answer or its own error. Raises other errors."""
        outcomes = await asyncio.gather(*map(self.retrieve, works), return_exceptions=True)
        answered: list[Hits | EcholensError] = []
        for outcome in outcomes:
            if not isinstance(outcome, Hits | EcholensError):
                raise outcome
            answered.append(outcome)
        return answered

    async def answer(self, work: Work[Any, Answered]) -> Answered:
        """Answer any question."""
        work.check()
        timings = TimingsWithWait()
        if (decoding := work.decoding(self._session.decoder, self._limits)) is not None:
            decoded = await asyncio.wrap_future(decoding)
            timings.stages_ms |= decoded.timings_ms
            work = work.decoded(decoded)
        answered = await self.answer_decoded(work)
        if answered.is_rendered:
            with timings.stage("generate"):
                answered = await asyncio.to_thread(answered.render, self._session.front_end)
        answered = answered.timed(timings)
        self._metrics.observe_stages(answered.timings_ms)
        return answered

    async def answer_decoded(self, work: Work[Any, Answered]) -> Answered:
        """Answer a question whose files are decoded, in the engine's next batch."""
        return cast(Answered, await self._batches.do(work))

    async def _do(self, works: Sequence[AnyWork]) -> Sequence[Answer | EcholensError]:
        return await asyncio.wrap_future(self._engine.submit(answer_batch, self._settings, works, limit_s=MOST_BATCH_S))


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
