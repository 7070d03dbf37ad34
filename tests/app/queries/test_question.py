"""A question is written once: form, command line and client offer the same fields, and no filter is forgotten."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import numpy as np
import pytest
from catalogue_samples import video
from latent_samples import clustered_latents
from pydantic import ValidationError

from app.commands.retrieve import retrieve_command
from app.queries.dates import iso, unix_s
from app.queries.filters import Filters
from app.queries.question import Question, QuestionOfNewSeconds
from app.routes.query_form import AskedByMany, AskedByOne
from echolens.client import RetrieveOptions
from index.records import LatentTable

EACH = {
    "label": "dog",
    "video_id": "v1",
    "after_s": 3.0,
    "before_s": 2.0,
    "concept": "dog",
    "name": "Beach.MP",
    "folder": "/footage/2024",
    "modified_after": "2024-01-02",
    "modified_before": "2024-01-02",
}
NEW = {"after_segment_id": 3, "last_segment_id": 1}  # of saved questions alone
HAVING = np.array([False, True, False, False, True, False])


def table() -> LatentTable:
    """Six seconds of three videos: in place and dated, in place and older, and an upload of which no date is known."""
    given = (
        ("v1", "dog", "/footage/2024/a.mp4", "beach.mp4", 1704153600.0),
        ("v2", "cat", "/footage/2024b/b", "b", 0.0),
    )
    videos = [replace(video(1, label), video_id=v, path=p, file_name=n, modified_s=m) for v, label, p, n, m in given]
    videos.append(replace(video(3, "dog"), video_id="v3", path="/footage/2024/c", file_name="c", uploaded=True))
    return LatentTable(
        ids=np.arange(6),
        video_numbers=np.array([2, 2, 1, 2, 0, 1], np.int32),  # v1, v1, v2, v1, v3, v2
        start_s=np.array([0, 1, 2, 2, 3, 4]),
        heard=np.ones(6, bool),
        seen=np.ones(6, bool),
        latents=clustered_latents(6, seed=0),
        fingerprint=None,
        catalogue_version=1,
        videos={video.video_id: video for video in reversed(videos)},
        concepts=np.zeros((6, 0), np.uint8),
    )


def test_the_same_fields_everywhere() -> None:
    """Both forms, the command's options and the client's have every field of a question, and none beside the query."""
    asked = set(Question.model_fields)
    assert set(AskedByOne.model_fields) - asked == {"file", "segment_id", "text"}
    assert set(AskedByMany.model_fields) - asked == {"files", "segment_ids"}
    assert asked <= set(inspect.signature(retrieve_command).parameters)
    assert set(RetrieveOptions.__annotations__) | {"target"} == asked
    assert {field.name for field in fields(Filters)} - asked == set(NEW)
    assert set(QuestionOfNewSeconds.model_fields) - asked == set(NEW)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("label", [0, 1, 3, 4]),
        ("video_id", [0, 1, 3]),
        ("after_s", [4, 5]),
        ("before_s", [0, 1]),
        ("concept", [1, 4]),
        ("name", [0, 1, 3]),
        ("folder", [0, 1, 3]),
        ("modified_after", [0, 1, 3]),
        ("modified_before", [2, 5]),
        ("after_segment_id", [4, 5]),
        ("last_segment_id", [0, 1]),
    ],
)
def test_each_filter_lets_pass_what_it_names(name: str, rows: list[int]) -> None:
    """By hand, for each filter alone; every filter there is has its row here."""
    assert {field.name for field in fields(Filters)} == set(EACH | NEW)
    mask = replace(Filters(), **{name: (EACH | NEW)[name]}).mask(table(), HAVING)
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
        *(QuestionOfNewSeconds(target="audio", after_segment_id=1, last_segment_id=last) for last in (2, 3)),
    ]
    assert len({question.filters for question in questions}) == len(questions)


def test_dates_are_utc_unless_they_name_their_zone_and_nothing_else_is_one() -> None:
    """A day begins at midnight; what is no ISO date is refused with an example of one."""
    assert unix_s("1970-01-02") == 86400
    assert unix_s("1970-01-01T02:00:00+02:00") == unix_s("1970-01-01T00:00:00Z") == 0
    assert unix_s(iso(1704153600.25)) == 1704153600.25
    for text in ("2024", "", "31.12.2024", "1704153600", "yesterday", "2024-13-01"):
        with pytest.raises(ValidationError, match=r"2026-05-31 or"):
            Question(target="audio", modified_after=text)
