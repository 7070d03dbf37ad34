"""Who decodes a query: the engine a plain sound that comes while it rests, decoders all others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.library.session import Session
from app.media.upload import SmallUpload
from app.queries.engine import Undecoded, answer, answer_all
from app.queries.pipeline import Pipeline
from app.queries.query import MOST_HARMLESS_BYTES, Query
from app.queries.question import Question
from app.queries.retrieval import Hits, Retrieval
from app.telemetry.metrics import Metrics
from model.errors import Silent
from model.media.encoding import encode_wav
from model.media.medium import Limits


@pytest.fixture(scope="module")
def session(library: Path) -> Iterator[Session]:
    with Session.open(library, torch.device("cpu"), create=False) as opened:
        yield opened


def sound(scratch: Path, content: bytes | None = None, amplitude: float = 0.5) -> Retrieval:
    tone = amplitude * np.sin(np.arange(16_000, dtype=np.float32) * 0.3)
    return Retrieval(
        Question(target="visual", k=3), Query(SmallUpload(scratch, "tone.wav", content or encode_wav(tone)))
    )


def found(hits: Any) -> list[tuple[int, float]]:
    assert isinstance(hits, Hits)
    return [(hit.segment_id, hit.distance) for hit in hits.hits]


def test_what_the_engine_decodes_gets_the_same_answer(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a batch with others, each with its own answer or error; the time that it took is told."""
    asked = [sound(tmp_path), sound(tmp_path, amplitude=0.0), sound(tmp_path, amplitude=0.1)]
    monkeypatch.setattr("app.media.decoding.open_medium", None)  # no decoder is needed
    undecoded = [Undecoded(work, call, "raw") for work in asked if (call := work.decoding(Limits())) is not None]
    ready = sound(tmp_path)
    call = ready.decoding(Limits())
    assert call is not None
    assert call.is_harmless
    decoded = ready.decoded(call.function(session.front_end, *call.args))
    first, silent, quiet, last = answer_all(session, [*undecoded, decoded])
    for other in (last, answer(session, ready, Limits())):
        assert [number for number, _ in found(other)] == [number for number, _ in found(first)]
        np.testing.assert_allclose([d for _, d in found(other)], [d for _, d in found(first)], rtol=1e-6)
    assert isinstance(silent, Silent)
    assert found(quiet) != found(first)
    assert {"decode", "features", "encode", "search"} <= set(first.timings_ms)
    assert first.timings_ms["total"] == pytest.approx(
        sum(spent for stage, spent in first.timings_ms.items() if stage != "total"), abs=0.01
    )
    assert "decode" not in last.timings_ms
    assert not list(tmp_path.iterdir())


class Engine:
    """Stand in for the engine's process: note what is asked, and answer once it is let."""

    def __init__(self, session: Session) -> None:
        self._session, self.is_busy = session, False
        self.asked: list[Any] = []
        self.waiting: list[tuple[Future[Any], Sequence[Any]]] = []

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.is_busy

    def submit(self, _: object, works: Sequence[Any]) -> Future[Any]:
        self.asked += works
        future: Future[Any] = Future()
        self.waiting.append((future, works))
        return future

    async def answer_all(self) -> None:
        """Answer until nothing has come for a while."""
        idle = 0
        while idle < 20:
            await asyncio.sleep(0.005)
            idle += 1
            while self.waiting:
                idle = 0
                future, works = self.waiting.pop(0)
                future.set_result(answer_all(self._session, works))


def kinds_asked(session: Session, works: Sequence[Retrieval], is_busy: bool = False) -> list[bool]:
    """Ask one after the other, all before the first is answered; return of each whether the engine decoded it."""
    engine = Engine(session)
    engine.is_busy = is_busy
    pipeline = Pipeline(session, engine, Limits(), Metrics())  # type: ignore[arg-type]

    async def ask() -> list[Hits]:
        asked = []
        for work in works:
            asked.append(asyncio.create_task(pipeline.retrieve(work)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await engine.answer_all()
        return list(await asyncio.gather(*asked))

    answers = asyncio.run(ask())
    assert all(len(hits.hits) == 3 for hits in answers)
    return [isinstance(one, Undecoded) for one in engine.asked]


def test_the_engine_decodes_a_plain_sound_that_comes_while_it_rests(session: Session, tmp_path: Path) -> None:
    """Those that come meanwhile go to decoders, so that it is not held up; also where it encodes footage."""
    assert kinds_asked(session, [sound(tmp_path)]) == [True]
    assert kinds_asked(session, [sound(tmp_path) for _ in range(4)]) == [True, False, False, False]
    assert kinds_asked(session, [sound(tmp_path)], is_busy=True) == [False]


def test_what_might_end_its_process_or_take_long_never_goes_to_the_engine(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not plain, a long one, and features that take long."""
    plain = encode_wav(np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32))
    assert kinds_asked(session, [sound(tmp_path, plain[:-2])]) == [False]  # its size lies
    assert kinds_asked(session, [sound(tmp_path, encode_wav(np.full(MOST_HARMLESS_BYTES // 2, 0.1, np.float32)))]) == [
        False
    ]
    with_track = sound(tmp_path)
    with_track = replace(with_track, query=replace(with_track.query, audio_track=1))
    assert kinds_asked(session, [with_track]) == [False]  # only a decoder knows tracks
    call = sound(tmp_path).decoding(Limits(decoded_s=0.5))
    assert call is not None
    assert not call.is_harmless  # longer than is accepted: its error comes from a decoder
    monkeypatch.setattr("app.queries.pipeline.QUICK_TO_HEAR", ("pretrained",))
    assert kinds_asked(session, [sound(tmp_path)]) == [False]
