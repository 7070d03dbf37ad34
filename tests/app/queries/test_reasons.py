"""Concepts in words: the strongest first, none that a narrower one says as well, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
from prior_samples import CLASSES, TABLE, NamingFrontEnd

from app.queries.reasons import ABOUT, FLOOR, MOST, Reason, named, needed, number_of, strengths_of
from model.concepts.concepts import Concepts
from model.errors import QueryError, UnknownWord

CONCEPTS = Concepts(TABLE, CLASSES)  # type: ignore[arg-type]


def strengths(**of: float) -> np.ndarray:
    return np.array([[of.get(name, 0.0) for name in CONCEPTS.names]], np.float32)


def words(**of: float) -> list[tuple[str, float]]:
    (found,) = named(CONCEPTS, strengths(**of))
    return [(reason.concept, reason.strength) for reason in found]


def test_the_strongest_come_first_and_the_faint_are_left_out() -> None:
    """By hand; a strength of the floor is named, less is not."""
    assert words(red=0.3, rumble=0.9, blue=FLOOR, green=FLOOR - 0.01) == [("rumble", 0.9), ("red", 0.3), ("blue", 0.1)]
    assert words() == []


def test_a_broader_concept_is_named_only_where_it_says_more() -> None:
    """About as strong as a narrower one it is left out, clearly stronger it stays; a faint narrower one hides none."""
    assert words(colour=0.9, red=0.9 - ABOUT + 0.01) == [("red", 0.81)]
    assert words(colour=0.9, red=0.7) == [("colour", 0.9), ("red", 0.7)]
    assert words(colour=0.12, red=0.05) == [("colour", 0.12)]


def test_at_most_five_are_named() -> None:
    """Of seven alike in strength, five; each row by itself."""
    table = {f"c{n}": {"sounds": ["s"], "pictures": ["p"], "words": f"w{n}"} for n in range(7)}
    concepts = Concepts(table, {"audio": ("s",), "visual": ("p",)})
    rows = np.array([[0.9] * 7, [0.0] * 6 + [0.5]], np.float32)
    many, one = named(concepts, rows)
    assert len(many) == MOST == 5
    assert one == (Reason("c6", 0.5),)


def test_bytes_become_strengths_and_none_become_zeros() -> None:
    """255 is 1; an item of which the catalogue holds no concepts has none of them."""
    prior = NamingFrontEnd().prior
    found = strengths_of(prior, np.array([[0, 255, 51, 0, 0]], np.uint8))
    np.testing.assert_allclose(found, [[0, 1, 0.2, 0, 0]])
    np.testing.assert_array_equal(strengths_of(prior, np.zeros((2, 0), np.uint8)), np.zeros((2, 5)))


def test_the_name_of_a_concept_is_asked_for() -> None:
    """A name gives its number; a word for it leads to the name; an unknown one to the nearest words."""
    assert number_of(CONCEPTS, "green") == 2
    with pytest.raises(UnknownWord, match=r"concept=scarlet given.*ask for red"):
        number_of(CONCEPTS, "scarlet")
    with pytest.raises(UnknownWord, match=r"'gren' given.*green"):
        number_of(CONCEPTS, "gren")


def test_a_front_end_without_a_prior_says_so() -> None:
    """It names itself, what was asked, and the front-end that knows words."""
    with pytest.raises(QueryError, match=r"a text given.*front-end raw has no prior.*pretrained"):
        needed(None, "raw", "a text")
