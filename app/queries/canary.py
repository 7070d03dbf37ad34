"""The canary: a tone and a picture that go the way of every question, to see that it is open."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial

from app.media.decoding import DIRECTIONS
from app.processes.decoder import Decoder
from app.queries.generation import Generation
from app.queries.pipeline import Pipeline
from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Retrieval
from model.errors import EmptyLibrary
from model.modality import Modality


class Canary:
    """Send it when asked; used from one event loop."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._on_its_way: asyncio.Task[float] | None = None

    async def send(self) -> float:
        """Send it through a decoding process, the model and the index; return the milliseconds that it took.

        While one is on its way, other callers wait for that one. An empty library is ready: it waits for footage.
        Raises EcholensError where a part does not work.
        """
        if self._on_its_way is None or self._on_its_way.done():
            self._on_its_way = asyncio.create_task(self._send())
        return await asyncio.shield(self._on_its_way)

    async def _send(self) -> float:
        started = time.perf_counter()
        for modality, target in DIRECTIONS.values():  # one by one: a gallery may be newer than the other
            await self._pipeline.by_serving_front_end(partial(self._ask, modality, target))
        return 1000 * (time.perf_counter() - started)

    async def _ask(self, modality: Modality, target: Modality, decoder: Decoder) -> None:
        tracks = await asyncio.wrap_future(decoder.canary())
        query = Query(track=tracks[modality])
        try:
            await self._pipeline.answer_decoded(Retrieval(Question(target=target, k=1), query))
        except EmptyLibrary:
            with suppress(EmptyLibrary):  # not even a model yet
                await self._pipeline.answer_decoded(Generation(query))
