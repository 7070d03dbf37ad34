"""What is written without its model is what the model would write, byte by byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.http.answers import written, written_as_it_is
from app.queries.reasons import Reason
from app.queries.retrieval import Hit, Hits, HowFound
from app.schemas.search import Locate, RetrieveAnswer, retrieve_answer
from index.records import Video

NAME = 'ä "b"\u2028.mp4'
VIDEO = Video("ab", "ab" * 4, "f/ä b.mp4", NAME, "video/mp4", 9.5, False, "dog", None, None, "", has_picture=True)
HIT = Hit(1, 7, VIDEO, 3, 5, True, False, 0.1 + 0.2, 1e-17, 3e22, None, None, ())
FOUND = HowFound(True, 20, 400, "cascade", None, None)
PLAIN = Hits(
    hits=(HIT,),
    verdict=None,
    modality="audio",
    uncertainty=0.25,
    concepts=(),
    search=FOUND,
    catalogue_version=3,
    fingerprint="f" * 16,
    timings_ms={"wait": 0.0, "total": 4.25},
)
RICH = replace(
    PLAIN,
    hits=(replace(HIT, match=0.5, chance=0.01, reasons=(Reason("dog", 0.9),), twins=(replace(HIT, rank=2),)), HIT),
    verdict="strong",
    modality="text",
    uncertainty=float("nan"),
    concepts=(Reason("dog", 0.9), Reason("cat", 1.0)),
    search=replace(FOUND, certified=False, bound_gap=-0.5, recall=0.75),
    device="cpu",
    warnings=("untrained",),
    notes=("a", "b"),
)


@pytest.mark.parametrize("hits", [PLAIN, RICH, replace(PLAIN, hits=())])
@pytest.mark.parametrize("locate", [None, "/library/".__add__])
def test_an_answer_is_what_its_model_writes(hits: Hits, locate: Locate | None) -> None:
    """In the same order, with the same numbers; the model finds nothing to refuse."""
    by_model = written(RetrieveAnswer.of(hits, locate))
    assert written_as_it_is(retrieve_answer(hits, locate)).body == by_model.body
