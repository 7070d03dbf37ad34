"""A question meets a change of the front-end: what it was decoded by no longer fits the model that serves."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from service_samples import film

from app.library.session import Session
from app.media.decoding import decode_query
from app.queries.engine import answer_many
from app.queries.pipeline import Pipeline
from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Hits, Retrieval
from app.telemetry.metrics import Metrics
from model.errors import FrontEndError, LibraryChanged, NotFinite, OriginalsGone
from model.frontends.raw import RawFrontEnd
from model.media.medium import Limits


def test_features_of_another_front_end_are_refused_alone(library: Path, tmp_path: Path) -> None:
    """In a batch only that question fails, and its error names the front-end that serves."""
    clip = film(tmp_path / "clip.mp4", 0, 0, 2.0)
    with Session.open(library, torch.device("cpu"), create=False) as session:
        track = decode_query(session.front_end, clip, Limits(), None, "visual").query
        foreign = replace(track, front_end="other-1", rows=np.zeros((2, 5), np.float32))
        works = [Retrieval(Question(target="visual", k=1), Query(track=t)) for t in (track, foreign, track)]
        first, refused, last = answer_many(session, works)
    assert isinstance(first, Hits)
    assert isinstance(last, Hits)
    assert isinstance(refused, LibraryChanged)
    assert (refused.front_end, "other-1" in str(refused)) == ("raw", True)


@pytest.mark.parametrize(("shape", "error"), [((3,), FrontEndError), (RawFrontEnd.visual_shape, NotFinite)])
def test_a_file_that_is_answered_with_no_features_is_refused_alone(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], error: type[Exception]
) -> None:
    """Where it is decoded, before it joins a batch."""
    clip = film(tmp_path / "clip.mp4", 0, 0, 2.0)
    with Session.open(library, torch.device("cpu"), create=False) as session:
        monkeypatch.setattr(session.front_end, "visual", lambda _: np.full(shape, np.nan, np.float32))
        with pytest.raises(error, match=r"the front-end raw .* the picture of second 0"):
            decode_query(session.front_end, clip, Limits(), None, "visual")


def test_errors_that_carry_more_than_words_can_be_pickled() -> None:
    """They cross from the engine's process to the service's."""
    changed: LibraryChanged = pickle.loads(pickle.dumps(LibraryChanged("changed: ask again", "raw")))
    assert (str(changed), changed.front_end) == ("changed: ask again", "raw")
    gone: OriginalsGone = pickle.loads(pickle.dumps(OriginalsGone("one is gone", ("a.mp4",))))
    assert (str(gone), gone.file_names) == ("one is gone", ("a.mp4",))


class Told:
    """Stand in for a session: its decoder is the name of the front-end."""

    def __init__(self, front_end: str) -> None:
        self.front_end_name = front_end

    def decoder_of(self, front_end: str) -> str:
        return front_end


def asked(session: Told, *answers: object) -> tuple[Pipeline, list[str], Any]:
    """Return a pipeline, the decoders that it takes, and what asks: it raises or returns the answers in turn."""
    pipeline = Pipeline(session, None, Limits(), Metrics())  # type: ignore[arg-type]
    taken: list[str] = []

    async def ask(decoder: str) -> object:
        taken.append(decoder)
        answer = answers[len(taken) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return pipeline, taken, ask


def test_a_question_is_asked_again_by_the_front_end_that_serves() -> None:
    """Decoded by `raw`, told `pretrained`: asked again by that, and so are those that follow."""
    pipeline, taken, ask = asked(Told("raw"), LibraryChanged("changed", "pretrained"), "first", "second")

    async def twice() -> list[object]:
        return [await pipeline.by_serving_front_end(ask) for _ in range(2)]

    assert asyncio.run(twice()) == ["first", "second"]
    assert taken == ["raw", "pretrained", "pretrained"]


def test_weights_of_a_front_end_that_was_given_up_are_not_asked_for() -> None:
    """Where the library has gone on to another one that is used; where it has not, the error is told."""
    session = Told("pretrained")
    pipeline, taken, ask = asked(session, "first", FrontEndError("no weights"), "second", FrontEndError("none"))
    assert asyncio.run(pipeline.by_serving_front_end(ask)) == "first"
    session.front_end_name = "raw"
    assert asyncio.run(pipeline.by_serving_front_end(ask)) == "second"
    assert taken == ["pretrained", "pretrained", "raw"]
    with pytest.raises(FrontEndError, match="none"):
        asyncio.run(pipeline.by_serving_front_end(ask))


def test_a_front_end_that_changes_all_the_time_is_not_followed_for_ever() -> None:
    """After three tries the question is refused, to be asked again."""
    changes = [LibraryChanged("changed", name) for name in ("pretrained", "raw", "pretrained")]
    pipeline, taken, ask = asked(Told("raw"), *changes)
    with pytest.raises(LibraryChanged):
        asyncio.run(pipeline.by_serving_front_end(ask))
    assert taken == ["raw", "pretrained", "raw"]
