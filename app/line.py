"""The line that requests share: processes decode, one thread encodes and one searches, in batches of what waits."""

from __future__ import annotations

import asyncio
import time

from app.batching import Batcher
from app.decoding import MODALITIES, Place, Timings, decode_place, decode_query
from app.encoding import Encoding, encode_many
from app.generation import Imagined, imagined
from app.localization import Found, encodings, locate
from app.metrics import Metrics
from app.retrieval import Answer, Query, Question, Search, answer, check, search_many, stored_query
from app.session import Session
from app.shelves import Shelf
from index.gallery import SearchResult
from model.encoder import Encoder
from model.errors import EmptyLibrary
from model.latents import Latents
from model.media import Limits
from model.msvae import Modality

MOST_BATCH = 64


class Line:
    """Answer the questions of one event loop; raises what `retrieve`, `localize` and `imagine` raise."""

    def __init__(self, session: Session, limits: Limits, metrics: Metrics) -> None:
        """`limits`: what one query file may cost."""
        self._session, self._limits, self._metrics = session, limits, metrics
        self._encoding = Batcher[Encoding, Latents]("encode", encode_many, MOST_BATCH, metrics.observe_batch)
        self._searching = Batcher[Search, SearchResult]("search", search_many, MOST_BATCH)

    @property
    def waiting(self) -> int:
        """Return how many encodings and searches wait for their turn."""
        return self._encoding.waiting + self._searching.waiting

    def close(self) -> None:
        """Finish the batches at hand."""
        self._encoding.close()
        self._searching.close()

    async def retrieve(self, question: Question) -> Answer:
        """Answer a question as `retrieve` does."""
        check(question)
        timings = Waits()
        shelf = await self._shelf(question.target)
        query = await self._query(shelf.encoder, question, timings)
        found = await self._searching.do(Search(shelf, query.latents, question))
        timings.add("search", found.spent_ms)
        self._metrics.observe_search(found.result.certified)
        answered = answer(shelf, question, query, found.result, timings)
        self._metrics.observe_stages(answered.timings_ms)
        return answered

    async def localize(self, place: Place) -> Found:
        """Find a window as `localize` does."""
        timings, session = Waits(), self._session
        encoder = await asyncio.to_thread(lambda: session.encoder)
        decoded = await asyncio.wrap_future(session.decoder.submit(decode_place, place, self._limits))
        timings.stages_ms |= decoded.timings_ms
        query, target = await asyncio.gather(*map(self._encoding.do, encodings(encoder, decoded)))
        timings.add("encode", max(query.spent_ms, target.spent_ms))
        found = await asyncio.to_thread(locate, encoder, place, decoded, query.result, target.result, timings)
        self._metrics.observe_stages(found.timings_ms)
        return found

    async def imagine(self, question: Question) -> Imagined:
        """Generate a pair as `imagine` does."""
        check(question)
        timings, session = Waits(), self._session
        encoder = await asyncio.to_thread(lambda: session.encoder)
        query = await self._query(encoder, question, timings)
        made = await asyncio.to_thread(imagined, session.front_end, encoder, query, timings)
        self._metrics.observe_stages(made.timings_ms)
        return made

    async def canary(self) -> float:
        """Send a tone and a picture through a worker, the model and the index; return the milliseconds it took.

        An empty library is ready: it waits for footage. Raises EcholensError where the line is broken.
        """
        started, session = time.perf_counter(), self._session
        features = await asyncio.wrap_future(session.decoder.canary())
        encoder = await asyncio.to_thread(lambda: session.encoder)
        for query, target in MODALITIES.values():
            latents = await self._encoding.do(Encoding(encoder, query, features[query]))
            try:
                shelf = await self._shelf(target)
            except EmptyLibrary:
                continue
            await self._searching.do(Search(shelf, latents.result, Question(target, k=1)))
        return 1000 * (time.perf_counter() - started)

    async def _query(self, encoder: Encoder, question: Question, timings: Timings) -> Query:
        if question.file is None:
            return await asyncio.to_thread(stored_query, self._session, encoder, question)
        decoded = await asyncio.wrap_future(
            self._session.decoder.submit(
                decode_query, question.file, self._limits, question.at_s, question.query_modality
            )
        )
        timings.stages_ms |= decoded.timings_ms
        track = decoded.query
        encoded = await self._encoding.do(Encoding(encoder, track.modality, track.rows, averaged=True))
        timings.add("encode", encoded.spent_ms)
        return Query(track.modality, encoded.result)

    async def _shelf(self, modality: Modality) -> Shelf:
        """Return the shelf of the library as it is now, without a thread where it is built."""
        shelf = self._session.built_shelf(modality)
        return shelf if shelf is not None else await asyncio.to_thread(self._session.shelf, modality)


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
