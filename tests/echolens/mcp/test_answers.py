"""What an assistant is told in words."""

from __future__ import annotations

from typing import Any

import pytest

from app.schemas.search import LocalizeAnswer, RetrieveAnswer
from echolens.mcp.answers import Found, FoundWindow

HIT: dict[str, Any] = {
    "rank": 1,
    "segment_id": 7,
    "video_id": "v",
    "file_name": "day.mp4",
    "start_s": 3725,
    "end_s": 3728,
    "distance": 1.23456,
    "parts": {"latent": 1.0, "generated": 0.23456},
    "label": None,
    "match": 0.726,
    "chance": 0.4,
    "fit": "nothing",
    "reasons": [{"concept": name, "strength": 0.5} for name in ("dog", "wolf", "fox", "cat")],
    "twins": [{"segment_id": 8, "video_id": "w", "file_name": "copy.mp4", "start_s": 3}],
    "links": {"frame": None, "sound": None, "original": "o", "poster": None},
}
SEARCH = {
    "certified": True,
    "examined": 1,
    "gallery_size": 1,
    "path": "exact",
    "bound_gap": None,
    "recall": None,
    "catalogue_version": 1,
}


def answered(hits: list[dict[str, Any]], **changed: Any) -> Found:
    query = {
        "modality": "text",
        "concepts": [{"concept": "dog", "strength": 1.0}],
        "uncertainty": 0,
        "fingerprint": "f",
    }
    answer = {"hits": hits, "verdict": "nothing", "search": SEARCH, "query": query, "device": "cpu", "timings_ms": {}}
    return Found.of(RetrieveAnswer.model_validate(answer | changed))


def located(**changed: Any) -> FoundWindow:
    windows = [{"start_s": s, "distance": 1.0, "probability": p} for s, p in ((0, 0.1), (1, 0.6), (2, 0.1), (3, 0.2))]
    answer: dict[str, Any] = {
        "start_s": 1,
        "end_s": 3,
        "stands_out": True,
        "chance": 0.01,
        "fit": "strong",
        "windows": windows,
    }
    answer |= {"from_s": 0, "length_s": 5, "query_start_s": 8, "query_end_s": 11, "compared_start_s": 9}
    answer |= {"compared_end_s": 11, "distances": [], "fingerprint": "f", "device": "cpu", "timings_ms": {}}
    return FoundWindow.of(LocalizeAnswer.model_validate(answer | changed))


def test_a_hit_is_named_as_a_person_finds_it() -> None:
    """File and time as a player shows it; the strongest concepts; files that hold the same."""
    (hit,) = answered([HIT]).hits
    assert (hit.file_name, hit.moment, hit.match, hit.distance) == ("day.mp4", "1:02:05-1:02:08", 0.73, None)
    assert (hit.shares, hit.copies) == ({"dog": 0.5, "wolf": 0.5, "fox": 0.5}, ["copy.mp4"])


def test_without_a_calibration_the_distance_is_told() -> None:
    """No match is made up: the distance is all that is known."""
    unknown = {"match": None, "chance": None, "fit": None}
    found = answered([HIT | unknown], verdict=None)
    assert (found.hits[0].match, found.hits[0].distance) == (None, 1.235)
    assert "cannot tell" in found.summary


@pytest.mark.parametrize(
    ("hits", "verdict", "words"),
    [
        ([HIT], "nothing", "Nothing here matches"),
        ([], "nothing", "Nothing found"),
        ([], None, "Nothing found"),
        ([HIT], "weak", "a weak match"),
        ([HIT], "strong", "a strong match"),
    ],
)
def test_the_summary_says_whether_anything_matches(hits: list[dict[str, Any]], verdict: str | None, words: str) -> None:
    """It goes by the verdict, not by there being hits."""
    assert words in answered(hits, verdict=verdict).summary


def test_an_approximate_search_is_told() -> None:
    """A better hit may be missing, and an assistant should know."""
    assert answered([HIT]).notes == []
    assert "approximate" in answered([HIT], search=SEARCH | {"certified": False}).notes[0]


def test_a_window_is_told_with_its_doubts() -> None:
    """The likeliest windows first; what fits badly, or does not stand out, is said."""
    sure = located()
    assert (sure.summary, sure.moment) == ("Best at 0:01-0:03, a strong match.", "0:01-0:03")
    assert [window.moment for window in sure.best_windows] == ["0:01-0:03", "0:03-0:05", "0:00-0:02"]
    assert (sure.searched, sure.compared) == ("0:00-0:05", "0:09-0:11")
    assert "elsewhere" in located(stands_out=False).summary
    assert "Nothing here fits well" in located(fit="nothing").summary
    assert located(fit=None).summary == "Best at 0:01-0:03."
