"""Words of a text become concepts."""

from __future__ import annotations

import pytest

from model.concepts.concepts import Concepts
from model.concepts.vocabulary import FILLERS, NEGATIONS, Words
from model.errors import QueryError, UnknownWord
from model.modality import MODALITIES, Modality


def understand(text: str) -> Words:
    return Concepts.load().understand(text)


@pytest.mark.parametrize("name", Concepts.load().names)
def test_every_concept_answers_to_its_name(name: str) -> None:
    """The name of a concept names it, and nothing else."""
    assert understand(name) == Words((name,), ())


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_class_answers_to_its_published_name(modality: Modality) -> None:
    """Each name, with its commas and brackets, names a concept that has the class; two words mean another one."""
    concepts = Concepts.load()
    for number, name in enumerate(concepts.class_names[modality]):
        wanted = understand(name).wanted
        held = any(concepts.classes(modality)[concepts.names.index(concept), number] for concept in wanted)
        assert held or name in ("crane", "Tap"), f"{name} gives {wanted}"


def test_the_name_of_a_class_stands_for_the_narrowest_concepts() -> None:
    """A pug is a dog, so it is not asked for as any canine; two classes of one name give the concepts of both."""
    table = {
        "animal": {"sounds": ["Yip"], "pictures": ["pug"], "words": "beast"},
        "dog": {"broader": ["animal"], "sounds": ["Yip"], "pictures": ["pug"], "words": "puppy"},
        "toy": {"sounds": ["Squeak (toy)"], "pictures": ["pug"], "words": "doll"},
        "door": {"sounds": ["Squeak"], "words": "hinge", "only": "sound"},
    }
    concepts = Concepts(table, {"audio": ["Yip", "Squeak", "Squeak (toy)"], "visual": ["pug, pug-dog"]})
    assert concepts.understand("pug dog").wanted == ("dog", "toy")
    assert concepts.understand("yip").wanted == ("dog",)
    assert concepts.understand("squeaks").wanted == ("door", "toy")
    assert concepts.understand("Squeak (toy)").wanted == ("toy",)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dog", ("dog",)),
        ("Puppies", ("dog",)),
        ("BARKING", ("dog",)),
        ("a dog barking in the rain", ("dog", "rain")),
        ("the sound of waves, with seagulls", ("sea", "seabird")),
        ("Geese and mice", ("goose", "rodent")),
        ("acoustic guitar", ("acoustic guitar",)),
        ("an acoustic guitar and a guitar", ("acoustic guitar", "guitar")),
        ("acoustic-guitar", ("acoustic guitar",)),
        ("Chihuahua", ("dog",)),
        ("Labrador retrievers", ("dog",)),
        ("bittern", ("wading bird",)),
        ("dog dog puppy", ("dog",)),
        ("the dog's bark", ("dog",)),
        ("café", ("coffee",)),
        ("wood", ("wood",)),
        ("woods", ("forest",)),
        ("rock and roll", ("rock and pop music",)),
    ],
)
def test_words_of_concepts_and_names_of_classes_are_understood(text: str, wanted: tuple[str, ...]) -> None:
    """Capitals, plurals and accents do not matter, fillers are skipped, and the longest phrase counts."""
    assert understand(text) == Words(wanted, ())


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("guitar not drum", ("guitar",), ("drum",)),
        ("guitar -drum", ("guitar",), ("drum",)),
        ("no acoustic guitar, piano", ("piano",), ("acoustic guitar",)),
        ("kitchen without the people", ("kitchen",), ("people",)),
        ("no dog or cat but birds", ("bird",), ("dog", "cat")),
        ("not a dog in rain or snow", ("rain", "snow"), ("dog",)),
        ("animal not dog", ("animal",), ("dog",)),
        ("music, -song -rap", ("music",), ("singing",)),
        ("guitar and drum, no guitar", ("drum",), ("guitar",)),
    ],
)
def test_not_excludes_the_phrase_after_it(text: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    """`not`, `no`, `without` and a leading dash exclude one phrase, and what `or` adds to it; the rest is wanted."""
    assert understand(text) == Words(wanted, unwanted)


@pytest.mark.parametrize(
    ("text", "word", "near"), [("a dgo", "dgo", "dog"), ("pinao", "pinao", "piano"), ("not a guitr", "guitr", "guitar")]
)
def test_an_unknown_word_is_named_with_the_nearest_known_ones(text: str, word: str, near: str) -> None:
    """The message has the word as read, not the whole text, and what it may have meant."""
    with pytest.raises(UnknownWord, match=rf"'{word}'.*nearest known words are.*\b{near}\b"):
        understand(text)


def test_a_word_like_no_other_is_still_explained() -> None:
    """Where nothing is near, the message says so and gives examples; other scripts are unknown words too."""
    for word in ("qqxzzqy", "собака"):
        with pytest.raises(UnknownWord, match=f"'{word}'.*such as dog.*no known word is near"):
            understand(f"dog {word}")


@pytest.mark.parametrize("text", ["", "  ", "?!", "the sound of a", "-", "not dog", "no dog or cat", "dog not puppy"])
def test_a_text_that_wants_nothing_is_refused(text: str) -> None:
    """Empty, only fillers, only what is not wanted, or all that is wanted excluded again: at least one is expected."""
    with pytest.raises(QueryError, match="at least one word for what is heard or seen expected"):
        understand(text)


def test_a_not_without_a_word_is_refused() -> None:
    """A `not` at the end would exclude nothing."""
    with pytest.raises(QueryError, match="a word after its last 'not' expected"):
        understand("dog not the")


def test_fillers_name_nothing() -> None:
    """A filler or a negation that named a concept could not be asked for."""
    for word in FILLERS | NEGATIONS:
        with pytest.raises(QueryError, match="expected"):
            understand(word)
