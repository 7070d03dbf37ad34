"""A floor for the service: its pipeline without HTTP, on one thread, queries in batches."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.library.session import Session
from app.media.decoding import decode_query
from app.processes.cores import use_threads
from app.queries.encoding import Encoding, encode_many
from app.queries.engine import answer_many
from app.queries.localization import Localization
from benchmarks.http.query_media import Query
from model.data.latents import Latents
from model.media.medium import Limits
from model.modality import Modality

HITS = 10  # what /retrieve gives unless told otherwise
Answer = Callable[[list[Path]], object]


class Pipeline:
    """Answer queries as the service does, in this process and on one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        use_threads(1)

    def rate_hz(self, answer: Answer, queries: list[Query], batch: int, seconds: float) -> float:
        """Return answers per second over at least `seconds`; the files are written beforehand."""
        with tempfile.TemporaryDirectory() as directory:
            files = [Path(directory) / query.name for query in queries]
            for file, query in zip(files, queries, strict=True):
                file.write_bytes(query.content)
            answer(files[:1])  # warm
            started, done = time.perf_counter(), 0
            while (spent_s := time.perf_counter() - started) < seconds:
                answer([files[(done + i) % len(files)] for i in range(batch)])
                done += batch
        return done / spent_s

    def localize(self, clips: list[Path]) -> None:
        """Find where in each clip one sees what is heard in its seconds 3 and 4."""
        works = []
        for clip in clips:
            work = Localization(clip, "a2v", 3, 2)
            call = work.decoding(Limits())
            works.append(work.decoded(self._session.decoder.submit(call.function, *call.args).result()))
        answer_many(self._session, works)

    def retrieve(self, modality: Modality, target: Modality, files: list[Path]) -> None:
        """Search one modality by files of another."""
        front_end, served = self._session.front_end, self._session.gallery(target)
        tracks = [decode_query(front_end, file, Limits(), None, modality).query for file in files]
        latents = encode_many([Encoding(served.encoder, track, as_one=True) for track in tracks])
        served.gallery.search_batch(Latents.concatenate(latents), HITS)
