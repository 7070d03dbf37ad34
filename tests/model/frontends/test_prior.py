"""What a front-end knows across modalities: where its evidence lies, and how strong it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model.concepts.concepts import Concepts
from model.errors import FrontEndError
from model.frontends.frontend import FrontEnd
from model.frontends.prior import EVIDENCE_FLOOR, Prior
from model.frontends.raw import RawFrontEnd

SOUNDS, PICTURES = ("Bark", "Howl", "Engine"), ("husky", "minivan")
TABLE = {
    "dog": {"sounds": ["Bark", "Howl"], "pictures": ["husky"], "words": "hound"},
    "car": {"sounds": ["Engine"], "pictures": ["minivan"], "words": "motor"},
}
USUAL = {
    "audio": {"usual": {"dog": -4.0, "car": -3.0}, "spread": 0.5},
    "visual": {"usual": {"car": -2.0, "dog": -4.5}, "spread": 0.25},
}


@pytest.fixture
def concepts() -> Concepts:
    return Concepts(TABLE, {"audio": SOUNDS, "visual": PICTURES})


@pytest.fixture
def prior(concepts: Concepts, tmp_path: Path) -> Prior:
    return load(concepts, tmp_path, USUAL)


def load(concepts: Concepts, directory: Path, usual: object) -> Prior:
    (directory / "usual.json").write_text(json.dumps(usual))
    return Prior.load(concepts, directory / "usual.json")


def test_log_evidence_is_the_sum_of_scores_over_the_root_of_their_number(prior: Prior) -> None:
    """log((bark + howl) / root 2 + 0.01) for dogs, log(engine + 0.01) for cars."""
    found = prior.log_evidence("audio", np.array([0.3, 0.5, 0], np.float32))
    np.testing.assert_allclose(found, [np.log(0.8 / 2**0.5 + 0.01), np.log(0.01)], rtol=1e-6)
    assert found.dtype == np.float32


def test_evidence_is_the_end_of_the_features_less_the_usual(prior: Prior) -> None:
    """The embedding before it does not matter; each concept has its own usual evidence, whatever the file's order."""
    features = np.array([[9, 9, 9, -1, -2], [0, 0, 0, -4, -3]], np.float32)
    np.testing.assert_array_equal(prior.evidence("audio", features), [[3, 1], [0, 0]])
    np.testing.assert_array_equal(prior.evidence("visual", features), [[3.5, 0], [0.5, -1]])


def test_strengths_lie_between_usual_and_sure(prior: Prior) -> None:
    """0 at the usual evidence and below, 1 at log(1.01) and above, and linear between."""
    for dog, strength in ((-4.6, 0), (-4, 0), ((-4 + np.log(1.01)) / 2, 0.5), (np.log(1.01), 1), (0.3, 1)):
        features = np.array([[5, dog, -3]], np.float32)
        np.testing.assert_allclose(prior.strengths("audio", features), [[strength, 0]], atol=1e-6)


def test_a_plain_picture_shares_its_score_with_all_classes(prior: Prior) -> None:
    """Half of all is the one class's even share here, and a tenth is its own: 1 from log(0.603) on."""
    for dog, strength in ((-4.5, 0), ((-4.5 + np.log(0.603)) / 2, 0.5), (np.log(0.603), 1), (-0.1, 1)):
        features = np.array([[5, dog, -2]], np.float32)
        np.testing.assert_allclose(prior.strengths("visual", features), [[strength, 0]], atol=1e-6)


FAMILIES = {
    "animal": {"sounds": ["Roar"], "pictures": ["lion"], "words": "beast"},
    "dog": {"broader": ["animal"], "sounds": ["Bark", "Howl"], "pictures": ["husky"], "words": "hound"},
    "car": {"sounds": ["Engine"], "pictures": ["minivan"], "words": "motor"},
}


@pytest.fixture
def families() -> Prior:
    concepts = Concepts(FAMILIES, {"audio": ("Roar", *SOUNDS), "visual": ("lion", *PICTURES)})
    usual = {"audio": np.full(3, -4, np.float32), "visual": np.full(3, -4, np.float32)}
    return Prior(concepts, usual, {"audio": 1.0, "visual": 1.0})  # type: ignore[arg-type]


LIKE = np.array([7, 8, -3, -3.5, -4], np.float32)


def test_words_become_a_second_in_which_what_they_name_is_plain(families: Prior) -> None:
    """The dog has the evidence 1, its animal what its two of three classes give; the rest is as in a usual second."""
    row = families.row("audio", ("dog",), (), LIKE)
    animal = 2 / 2**0.5 / 3**0.5
    np.testing.assert_allclose(row, [[7, 8, np.log(animal + 0.01), np.log(1.01), -4]], rtol=1e-5)
    assert families.strengths("audio", row)[0, 1] == 1
    np.testing.assert_array_equal(LIKE, np.array([7, 8, -3, -3.5, -4], np.float32))


def test_what_is_not_wanted_has_no_evidence(families: Prior) -> None:
    """Without animals there is no dog either; without dogs, an animal is what is left of it."""
    nothing = np.log(0.01)
    np.testing.assert_allclose(
        families.row("audio", ("car",), ("animal",), LIKE), [[7, 8, nothing, nothing, np.log(1.01)]], rtol=1e-5
    )
    lion = families.row("audio", ("animal",), ("dog",), LIKE)
    np.testing.assert_allclose(lion, [[7, 8, np.log(1 / 3 + 0.01), nothing, -4]], rtol=1e-5)


@pytest.mark.parametrize(
    "usual",
    [
        USUAL | {"audio": {"usual": {"dog": -4.0}, "spread": 1}},
        USUAL | {"visual": {"usual": {"dog": -4.0, "car": -4.0, "cat": -4.0}, "spread": 1}},
    ],
    ids=["too few", "too many"],
)
def test_the_usual_evidence_of_another_table_is_refused(concepts: Concepts, tmp_path: Path, usual: object) -> None:
    """A concept too few or too many is named."""
    with pytest.raises(FrontEndError, match=r"'(car|cat)'.*measure the usual evidence again"):
        load(concepts, tmp_path, usual)


def test_the_shipped_usual_evidence_is_of_the_shipped_concepts() -> None:
    """Both have the same concepts; log evidence cannot lie below that of none, nor usually at its most."""
    prior = Prior.load(Concepts.load())
    for modality, usual in prior.usual.items():
        assert len(usual) == len(prior.concepts.names)
        assert usual.min() >= np.log(EVIDENCE_FLOOR[modality]) - 1e-4
        assert prior.spread[modality] > 0
        assert usual.max() < np.log(1.01)


def test_raw_has_no_prior() -> None:
    """Log-mel spectra and small pictures name nothing."""
    assert FrontEnd.prior is None
    assert RawFrontEnd().prior is None
