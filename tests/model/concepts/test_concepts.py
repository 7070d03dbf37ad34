"""The table of concepts: every class is real and placed, every gap is declared; evidence by hand."""

from __future__ import annotations

import csv
import shutil
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.concepts import concepts as module
from model.concepts.concepts import Concepts
from model.modality import MODALITIES, Modality

FOLDER = Path(module.__file__).parent
SIDES: dict[str, Modality] = {"sound": "audio", "picture": "visual"}


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, Any]]:
    return tomllib.loads((FOLDER / "concepts.toml").read_text())


@pytest.fixture
def small() -> Concepts:
    """Make four concepts over five sounds and four pictures, two of which have the same name."""
    return Concepts(
        {
            "animal": {"sounds": ["Animal"], "words": "beast"},
            "pet": {"broader": ["animal"], "pictures": ["goldfish"], "words": "pets"},
            "dog": {"broader": ["pet"], "sounds": ["Bark .. Howl"], "pictures": ["pug"], "words": "puppy"},
            "hum": {"sounds": ["Hum", "Animal"], "pictures": ["crane #1"], "words": "drone"},
        },
        {
            "audio": ["Animal", "Bark", "Yip, yap", "Howl", "Hum"],
            "visual": ["pug, pug-dog", "crane", "goldfish", "crane"],
        },
    )


def sides(concepts: Concepts, name: str) -> set[Modality]:
    """Return the modalities in which a concept has a class."""
    row = concepts.names.index(name)
    return {modality for modality in MODALITIES if concepts.classes(modality)[row].any()}


@pytest.mark.shared
def test_the_lists_of_names_are_the_published_ones(shared: Path) -> None:
    """Names and order are those of the files that came with the networks; ImageNet's without `background`."""
    with (shared / "frontends" / "yamnet_class_map.csv").open(newline="") as lines:
        sounds = [row["display_name"] for row in csv.DictReader(lines)]
    background, *pictures = (shared / "frontends" / "imagenet_labels.txt").read_text().splitlines()
    assert background == "background"
    assert (FOLDER / "sound_classes.txt").read_text().splitlines() == sounds
    assert (FOLDER / "picture_classes.txt").read_text().splitlines() == pictures


def test_the_networks_have_521_and_1000_classes() -> None:
    """The lists have one line for each output of YAMNet and of an ImageNet classifier."""
    names = Concepts.load().class_names
    assert (len(names["audio"]), len(names["visual"])) == (521, 1000)
    assert {name for name, count in Counter(names["visual"]).items() if count > 1} == {"crane"}


def test_every_class_of_the_table_is_spelt_as_published(table: dict[str, dict[str, Any]]) -> None:
    """Each entry, and both ends of each range, is a full name or a first one, and names one class alone."""
    names = Concepts.load().class_names
    for modality, key in module.KEYS.items():
        known = Counter(name for full in names[modality] for name in {full, full.split(", ")[0]})
        entries = [end for row in table.values() for entry in row.get(key, ()) for end in entry.split(" .. ")]
        bad = [end for end in entries if known[end] != 1 and end not in names[modality]]
        assert [end for end in bad if end not in ("crane #134", "crane #517")] == []
        assert "crane" not in entries


def test_the_two_cranes_are_told_apart() -> None:
    """The bird wades and the machine builds; neither is the other."""
    concepts = Concepts.load()
    cranes = [number for number, name in enumerate(concepts.class_names["visual"]) if name == "crane"]
    assert cranes == [134, 517]
    for name, holds in (("wading bird", [True, False]), ("heavy machine", [False, True])):
        assert concepts.classes("visual")[concepts.names.index(name), cranes].tolist() == holds


def test_ranges_go_forward(table: dict[str, dict[str, Any]]) -> None:
    """A range A .. B has at least two classes; one written backwards would be empty without an error."""
    for name, row in table.items():
        for modality, key in module.KEYS.items():
            for entry in (entry for entry in row.get(key, ()) if " .. " in entry):
                alone = Concepts({name: {key: [entry], "words": ""}}, Concepts.load().class_names)
                assert alone.classes(modality).sum() >= 2, f"{name}: {entry}"


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_class_is_in_a_concept(modality: Modality) -> None:
    """No output of either network is left without a concept."""
    concepts = Concepts.load()
    placed = concepts.classes(modality).any(axis=0)
    assert [name for name, is_placed in zip(concepts.class_names[modality], placed, strict=True) if not is_placed] == []


def test_a_concept_that_lacks_a_side_says_so() -> None:
    """`only` names the side of each concept that has one alone, and of no other."""
    concepts = Concepts.load()
    one_sided = {name: sides(concepts, name) for name in concepts.names if len(sides(concepts, name)) < 2}
    assert one_sided == {name: {SIDES[side]} for name, side in concepts.only().items()}


def test_there_are_enough_concepts_and_most_bridge() -> None:
    """At least 150 concepts, nine in ten of them with both sides."""
    concepts = Concepts.load()
    assert len(concepts.names) >= 150
    assert len(concepts.only()) <= len(concepts.names) / 10


def test_levels_exist_and_have_no_cycle(table: dict[str, dict[str, Any]]) -> None:
    """Every broader concept is in the table, and no concept is above itself."""
    concepts = Concepts.load()
    for name, row in table.items():
        assert set(row.get("broader", ())) <= set(table), name
        assert name not in concepts.broader(name)


def test_levels_are_those_that_people_know() -> None:
    """A dog is a pet and a canine and an animal, and a pet is not a dog."""
    concepts = Concepts.load()
    assert concepts.broader("dog")[:2] == ("pet", "canine")
    assert "animal" in concepts.broader("dog")
    assert {"string instrument", "musical instrument", "music"} <= set(concepts.broader("guitar"))
    assert "people" in concepts.broader("baby")
    assert "dog" not in concepts.broader("pet")


def test_a_row_of_the_table_has_known_keys_alone(table: dict[str, dict[str, Any]]) -> None:
    """A misspelt key would be read by nobody."""
    assert {key for row in table.values() for key in row} == {"broader", "sounds", "pictures", "words", "only"}


def test_a_name_or_word_belongs_to_one_concept(table: dict[str, dict[str, Any]]) -> None:
    """No word of the table names two concepts, nor one concept twice."""
    words = Counter(list(table))
    words.update(word for row in table.values() for word in " ".join(row["words"].split()).split(", "))
    assert [word for word, count in words.items() if count > 1] == []


def test_a_concept_has_the_classes_of_all_narrower_ones(small: Concepts) -> None:
    """Classes go up every level, never down; a range has both its ends; a numbered name is one class alone."""
    assert small.classes("audio").astype(int).tolist() == [
        [1, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [1, 0, 0, 0, 1],
    ]
    assert small.classes("visual").astype(int).tolist() == [[1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_evidence_is_the_sum_over_the_root_of_the_number(small: Concepts) -> None:
    """By hand: animal (.1 + .2 + .3 + .4) / 2, dog (.2 + .3 + .4) / sqrt 3, hum (.1 + .5) / sqrt 2."""
    found = small.evidence("audio", np.array([[0.1, 0.2, 0.3, 0.4, 0.5]], np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.5, 0.9 / 3**0.5, 0.9 / 3**0.5, 0.6 / 2**0.5]], rtol=1e-6)


def test_a_missing_side_has_no_evidence() -> None:
    """Where a concept has no picture, all pictures together give it exactly 0, and the others more."""
    concepts = Concepts.load()
    found = concepts.evidence("visual", np.ones((1, 1000), np.float32))[0]
    lacks = [concepts.only().get(name) == "sound" for name in concepts.names]
    assert ((found == 0) == lacks).all()
    assert any(lacks)


def test_a_second_has_the_same_evidence_in_any_company() -> None:
    """Bit for bit, alone or among others; no seconds give no rows."""
    concepts = Concepts.load()
    scores = np.random.default_rng(0).random((37, 521), np.float32)
    together = concepts.evidence("audio", scores)
    alone = np.concatenate([concepts.evidence("audio", scores[i : i + 1]) for i in range(len(scores))])
    assert together.tobytes() == alone.tobytes()
    assert concepts.evidence("audio", scores[:0]).shape == (0, len(concepts.names))


def test_the_digest_is_that_of_the_three_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal files have an equal digest, a changed byte of any file another one; the concepts are read once."""
    assert Concepts.load() is Concepts.load()
    digests = {Concepts.load().digest}
    for file in module.FILES:
        folder = tmp_path / file
        shutil.copytree(FOLDER, folder)
        monkeypatch.setattr(module, "HERE", folder)
        assert Concepts.load.__wrapped__().digest == Concepts.load().digest
        (folder / file).write_bytes((folder / file).read_bytes() + b"\n")
        digests.add(Concepts.load.__wrapped__().digest)
    assert len(digests) == 4


def test_an_unknown_class_or_level_is_refused() -> None:
    """A table with a class or a broader concept that does not exist cannot be loaded."""
    names = {"audio": ["Bark"], "visual": ["pug"]}
    with pytest.raises(KeyError, match="Brak"):
        Concepts({"dog": {"sounds": ["Brak"], "words": ""}}, names)
    with pytest.raises(KeyError, match="pet"):
        Concepts({"dog": {"broader": ["pet"], "words": ""}}, names)
