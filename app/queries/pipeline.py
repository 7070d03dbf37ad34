"""The line that requests share: processes decode, another encodes and searches, in batches of what waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from app.library.session import Session
from app.media.decoding import MODALITIES, Place, Track, decode_place, decode_query
from app.media.timings import Timings
from app.processes.batching import Batcher
from app.processes.workers import Workers
from app.queries.engine import Done, Localize, Read, Reading, Retrieve, Served, Work, do_many
from app.queries.generation import Imagined, imagined
from app.queries.localization import Found
from app.queries.retrieval import Answer, Question, check
from app.telemetry.metrics import Metrics
from model.errors import EcholensError, EmptyLibrary, Mismatch
from model.media.medium import Limits

MOST_BATCH = 64
MOST_BATCH_S = 600.0  # the first builds galleries, which takes minutes for millions of items
SECOND = np.zeros(1, np.int64)


class Pipeline:
    """Answer the questions of one event loop; raises what `retrieve`, `localize` and `imagine` raise."""

    def __init__(self, session: Session, engine: Workers, served: Served, limits: Limits, metrics: Metrics) -> None:
        """`limits`: what one query file may cost."""
        self._session, self._limits, self._metrics = session, limits, metrics
        self._engine, self._served = engine, served
        self._canary: asyncio.Task[float] | None = None
        self._batches = Batcher[Work, Done](self._do, MOST_BATCH, metrics.observe_batch)

    @property
    def waiting(self) -> int:
        """Return how many encodings and searches wait for their batch."""
        return self._batches.waiting

    async def retrieve(self, question: Question) -> Answer:
        """Answer a question as `retrieve` does."""
        check(question)
        timings = Waits()
        track = await self._track(question, timings)
        done = cast(Answer, await self._batches.do(Retrieve(replace(question, file=None), track)))
        self._metrics.observe_search(done.search.certified)
        return replace(done, timings_ms=self._report(timings, done.timings_ms))

    async def localize(self, place: Place) -> Found:
        """Find a window as `localize` does."""
        timings = Waits()
        decoded = await asyncio.wrap_future(self._session.decoder.submit(decode_place, place, self._limits))
        timings.stages_ms |= decoded.timings_ms
        done = cast(Found, await self._batches.do(Localize(place.video.name, decoded)))
        return replace(done, timings_ms=self._report(timings, done.timings_ms))

    async def imagine(self, question: Question) -> Imagined:
        """Generate a pair as `imagine` does."""
        check(question)
        timings = Waits()
        track = await self._track(question, timings)
        read = cast(Reading, await self._batches.do(Read(replace(question, file=None), track)))
        timings.stages_ms |= read.timings_ms
        encoder = await asyncio.to_thread(lambda: self._session.encoder)
        if encoder.fingerprint != read.fingerprint:
            raise Mismatch("the library was encoded anew just now; ask again")
        made = await asyncio.to_thread(imagined, self._session.front_end, encoder, read.query, timings)
        self._metrics.observe_stages(made.timings_ms)
        return made

    async def canary(self) -> float:
        """Send a tone and a picture through a worker, the model and the index; return the milliseconds it took.

        Who asks while one is on its way waits for that one. An empty library is ready: it waits for footage. Raises
        EcholensError where the line is broken.
        """
        if self._canary is None or self._canary.done():
            self._canary = asyncio.create_task(self._send_canary())
        return await asyncio.shield(self._canary)

    async def _send_canary(self) -> float:
        started = time.perf_counter()
        features = await asyncio.wrap_future(self._session.decoder.canary())
        for query, target in MODALITIES.values():
            track = Track(query, SECOND, features[query])
            try:
                await self._batches.do(Retrieve(Question(target, k=1), track))
            except EmptyLibrary:
                await self._batches.do(Read(Question(target), track))
        return 1000 * (time.perf_counter() - started)

    async def _do(self, works: Sequence[Work]) -> Sequence[Done | EcholensError]:
        return await asyncio.wrap_future(self._engine.submit(do_many, self._served, works, limit_s=MOST_BATCH_S))

    async def _track(self, question: Question, timings: Timings) -> Track | None:
        """Return the features of a question's file; None where a second of the library is the query."""
        if question.file is None:
            return None
        decoded = await asyncio.wrap_future(
            self._session.decoder.submit(
                decode_query, question.file, self._limits, question.at_s, question.query_modality
            )
        )
        timings.stages_ms |= decoded.timings_ms
        return decoded.query

    def _report(self, timings: Timings, engine_ms: dict[str, float]) -> dict[str, float]:
        timings.stages_ms |= {stage: spent_ms for stage, spent_ms in engine_ms.items() if stage != "total"}
        report = timings.report()
        self._metrics.observe_stages(report)
        return report


class Waits(Timings):
    """Say beside the stages how long a request waited for its turns: the rest of the total."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.perf_counter()

    def report(self) -> dict[str, float]:
        """Return the stages, `wait`, and the total that they sum to."""
        total_ms = 1000 * (time.perf_counter() - self._started)
        self.add("wait", max(0.0, total_ms - sum(self.stages_ms.values())))
        return super().report()
