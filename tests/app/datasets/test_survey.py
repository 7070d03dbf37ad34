"""What is counted of the lists, and which of their entries are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.datasets.item import Entry, Fault, Item, Remark
from app.datasets.survey import Survey, each_once, of_split, up_to, with_drawn_split


def item(name: str, split: str = "", *labels: str) -> Item:
    return Item(Path(name), name, labels, split=split)  # type: ignore[arg-type]


ENTRIES: list[Entry] = [
    item("a", "train", "x"),
    Fault("g", "missing_file", "g is not there", "test"),
    item("b", "test", "x", "y"),
    Fault("list, line 3", "bad_row", "list, line 3: two columns expected"),
    item("a", "test", "y"),
    Remark("the lists differ"),
]


def test_a_survey_counts_and_says_it_in_one_line() -> None:
    """What is missing is told by number and one name, however much it is."""
    survey = Survey()
    for entry in [*ENTRIES, *(Fault(f"h{n}", "missing_file", "") for n in range(2000))]:
        survey.add(entry)
    assert (survey.items, survey.splits, survey.classes) == (3, {"train": 1, "test": 2}, {"x": 2, "y": 1})
    assert str(survey) == (
        "Listed: 2,005, there: 3, missing: 2,001 (such as g), wrong: 1; "
        "of several labels, as 1 have, the first is the class."
    )
    assert len(survey.as_json()["missing"]) == 2001
    assert survey.as_json()["remarks"] == ["the lists differ"]


def test_a_split_leaves_out_what_is_of_another() -> None:
    """Faults of no known split stay, and so do remarks."""
    assert list(of_split(ENTRIES, "train")) == [ENTRIES[0], ENTRIES[3], ENTRIES[5]]
    assert list(of_split(ENTRIES, None)) == ENTRIES


def test_a_file_that_is_listed_again_is_told_and_left_out() -> None:
    """The first row counts."""
    once = list(each_once(ENTRIES, lambda found: found.path))
    assert once[:-1] == [*ENTRIES[:4], ENTRIES[5]]
    assert once[-1] == Remark("1 rows name what an earlier row names, such as a: the first row counts")


def test_a_drawn_split_depends_on_the_name_alone() -> None:
    """Of many items about eight tenths are for training; each is always in the same part."""
    drawn = [with_drawn_split(item(f"video {n}")).split for n in range(2000)]
    shares = {split: drawn.count(split) / 2000 for split in ("train", "val", "test")}
    assert shares == pytest.approx({"train": 0.8, "val": 0.1, "test": 0.1}, abs=0.03)
    assert with_drawn_split(item("video 7", "", "x")).split == drawn[7]


def test_a_limit_ends_the_reading() -> None:
    """Nothing is read behind the last item that is taken."""
    entries = iter(ENTRIES)
    assert list(up_to(entries, 2)) == ENTRIES[:3]
    assert next(entries) == ENTRIES[3]
    assert list(up_to(ENTRIES, None)) == ENTRIES
