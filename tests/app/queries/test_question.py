"""A question is written once: form, command line and client offer the same fields, and no filter is forgotten."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import numpy as np
import pytest
from latent_samples import clustered_latents

from app.commands.retrieve import retrieve_command
from app.queries.question import Filters, Question
from app.routes.query_form import AskedByMany, AskedByOne
from echolens.client import RetrieveOptions
from index.records import LatentTable

EACH = {"label": "dog", "video_id": "v1", "after_s": 3.0, "before_s": 2.0, "concept": "dog"}
HAVING = np.array([False, True, False, False, True, False])


def table() -> LatentTable:
    """Six seconds, three of each of two videos."""
    return LatentTable(
        ids=np.arange(6),
        video_ids=np.array(["v1"] * 3 + ["v2"] * 3),
        start_s=np.array([0, 1, 2, 2, 3, 4]),
        labels=np.array(["dog", "dog", "", "cat", "cat", "dog"]),
        heard=np.ones(6, bool),
        seen=np.ones(6, bool),
        latents=clustered_latents(6, seed=0),
        fingerprint=None,
        catalogue_version=1,
        videos={},
        concepts=np.zeros((6, 0), np.uint8),
    )


def test_the_same_fields_everywhere() -> None:
    """Both forms, the command's options and the client's have every field of a question, and none beside the query."""
    asked = set(Question.model_fields)
    assert set(AskedByOne.model_fields) - asked == {"file", "segment_id", "text"}
    assert set(AskedByMany.model_fields) - asked == {"files", "segment_ids"}
    assert asked <= set(inspect.signature(retrieve_command).parameters)
    assert set(RetrieveOptions.__annotations__) | {"target"} == asked
    assert {field.name for field in fields(Filters)} <= asked


@pytest.mark.parametrize(
    ("name", "rows"),
    [("label", [0, 1, 5]), ("video_id", [0, 1, 2]), ("after_s", [4, 5]), ("before_s", [0, 1]), ("concept", [1, 4])],
)
def test_each_filter_lets_pass_what_it_names(name: str, rows: list[int]) -> None:
    """By hand, for each filter alone; every filter there is has its row here."""
    assert {field.name for field in fields(Filters)} == set(EACH)
    mask = replace(Filters(), **{name: EACH[name]}).mask(table(), HAVING)
    assert mask is not None
    assert np.flatnonzero(mask).tolist() == rows


def test_filters_narrow_each_other_and_none_lets_all_pass() -> None:
    """Two filters pass what both pass; without one there is no mask."""
    both = Filters(label="dog", before_s=1.0).mask(table())
    assert both is not None
    assert np.flatnonzero(both).tolist() == [0]
    assert Filters().mask(table()) is None


def test_questions_that_differ_in_a_filter_never_share_a_search() -> None:
    """Filters are equal only if every one of their fields is."""
    questions = [
        Question(target="audio"),
        *(Question.model_validate({"target": "audio", n: v}) for n, v in EACH.items()),
    ]
    assert len({question.filters for question in questions}) == len(questions)
