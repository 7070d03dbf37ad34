"""Every answer is whole while the library changes: `python -m benchmarks.robustness.readers`, for seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.robustness.history import Answer, History, Item, Question, State, are_right, expected_hits, ranking
from benchmarks.robustness.readers import run
from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.modality import MODALITIES


def test_no_answer_is_torn_while_the_library_changes(tmp_path: Path) -> None:
    """Four readers and a writer for 3 s: no error, and each answer is that of the version that it names."""
    report = run(tmp_path, 3.0, 4, 0, staying=4, coming=3)
    assert (report["errors"], report["torn"]) == (0, 0), report["problems"]
    assert report["answers"] > 0
    assert report["versions_seen"] > 1, "nothing changed while they read"


WEIGHTS = ScoreWeights()
ASKED = Question(query=0, target="audio", k=3, label=None, by_video=False)
QUESTIONS = (ASKED, replace(ASKED, by_video=True), replace(ASKED, label="rain"), replace(ASKED, target="visual"))


def some_latents(seed: int, count: int) -> Latents:
    rng = np.random.default_rng(seed)
    mu, generated = (rng.standard_normal((count, width)).astype(np.float32) for width in (4, 6))
    return Latents(mu, rng.uniform(0.5, 1.0, (count, 4)).astype(np.float32), generated)


QUERY = some_latents(1, 1)


@pytest.fixture
def history() -> History:
    """Version 1 holds four seconds of two videos; in version 2 one of these has a label, in 3 the other is gone."""
    ids, videos, latents = np.arange(1, 5), np.array(["a", "a", "b", "b"]), some_latents(0, 4)
    made = History(latents={(m, i): latents[[i - 1]] for m in MODALITIES for i in ids.tolist()})
    for version, label, count in ((1, "", 4), (2, "rain", 4), (3, "rain", 2)):
        labels = np.array([label, label, "", ""])
        made.versions[version] = {m: State(ids[:count], videos[:count], labels[:count]) for m in MODALITIES}
    return made


def right_answer(history: History, version: int, question: Question) -> Answer:
    gallery = history.gallery(version, question.target, WEIGHTS)
    ranked = ranking(gallery, history.versions[version][question.target], question, QUERY)
    hits = tuple(expected_hits(ranked, question))
    return Answer(question, version, len(gallery), "exhaustive", hits, 1.0)


def verdict(history: History, *answers: Answer) -> list[str]:
    return list(history.torn_among(answers, [QUERY], WEIGHTS))


def test_the_judge_expects_what_the_distance_says(history: History) -> None:
    """The nearest first, those of a label alone, a video once."""
    latents = Latents.concatenate([history.latents["audio", i] for i in range(1, 5)])
    by_distance = np.argsort(distances(QUERY, latents, WEIGHTS).total[0], kind="stable") + 1
    plain, grouped, labelled, _ = (right_answer(history, 2, question) for question in QUESTIONS)
    assert [hit[0] for hit in plain.hits] == by_distance[:3].tolist()
    assert {hit[2] for hit in grouped.hits} == {"a", "b"}
    assert grouped.hits[0] == plain.hits[0]
    assert [(hit[0], hit[3]) for hit in labelled.hits] == [(i, "rain") for i in by_distance if i <= 2]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_judge_finds_torn_answers(history: History, question: Question) -> None:
    """What one version holds passes under its name alone, and with no distance, label, hit or size changed.

    What another batch rounds is no change.
    """
    versions = [right_answer(history, version, question) for version in (1, 2, 3)]
    assert verdict(history, *versions) == []
    right = versions[1]
    (item, distance, video, label), *others = right.hits
    torn = [
        replace(right, version=1),
        replace(right, version=3),
        replace(right, version=4),
        replace(right, gallery_size=3),
        replace(right, hits=right.hits[1:]),
        replace(right, hits=((item, distance * 1.001, video, label), *others)),
        replace(right, hits=((item, distance, video, "drum"), *others)),
        replace(right, hits=((item, distance, "c", label), *others)),
    ]
    rounded = replace(right, hits=((item, float(np.nextafter(np.float32(distance), 9)), video, label), *others))
    assert verdict(history, rounded) == []
    for answer in torn:
        assert len(verdict(history, answer)) == 1, answer


def test_the_judge_lets_items_change_places_that_are_as_near_as_rounding() -> None:
    """At the end of an answer as within it, each once; what is further apart may not."""
    near: list[Item] = [
        (1, 0.5, "a", None),
        (2, 0.5 + 1e-8, "b", None),
        (3, 0.5 + 2e-8, "c", None),
        (4, 0.6, "d", None),
    ]
    asked = replace(ASKED, k=2)
    for places, right in (((1, 2), True), ((2, 1), True), ((3, 1), True), ((1, 1), False), ((1, 4), False)):
        answer = Answer(asked, 1, 4, "exhaustive", tuple(near[place - 1] for place in places), 1.0)
        assert are_right(answer, expected_hits(near, asked), near) == right
