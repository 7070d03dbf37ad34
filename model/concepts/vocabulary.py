"""The words that name concepts, found in a text."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.errors import QueryError, UnknownWord

NEGATIONS = frozenset({"not", "no", "without"})
ALTERNATIVES = frozenset({"or", "nor"})
FILLER_WORDS = """
a an the this that these those some any all its his her their my our and of in on at with from by to for near into over
under behind beside between while as is are was be being there it i we you very something someone sound sounds picture
pictures image images photo photos video videos clip clips footage scene recording recordings frame second seconds
playing play plays making makes heard seen hear see find show me like etc but who which where when
"""
FILLERS = ALTERNATIVES.union(FILLER_WORDS.split())
TOKEN = re.compile(r"(?<![^\s,;(])-(?=\w)|[^\W_]+")
NEAREST = 3


@dataclass(frozen=True)
class Words:
    """Hold the concepts that a text wants, at least one, and those that it does not want, each in its order."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


class Vocabulary:
    """Know the phrases that name concepts: words of the table first, then the names of classes."""

    def __init__(self, words: Mapping[str, Iterable[str]], classes: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Take the words of each concept, and each class's name with the concepts that it stands for."""
        self._phrases: dict[tuple[str, ...], tuple[str, ...]] = {}
        for concept, phrases in words.items():
            self._phrases.update((_tokens(phrase), (concept,)) for phrase in phrases)
        self._folded = {_folded(phrase): concepts for phrase, concepts in self._phrases.items()}
        of_classes: dict[tuple[str, ...], tuple[str, ...]] = {}
        for name, concepts in classes:
            for synonym in {name: None} | dict.fromkeys(re.sub(r" \(.*?\)", "", name).split(", ")):
                phrase = _tokens(synonym)
                if _folded(phrase) not in self._folded and not FILLERS.issuperset(phrase):
                    of_classes[phrase] = tuple(dict.fromkeys(of_classes.get(phrase, ()) + concepts))
        self._phrases |= of_classes
        self._folded |= {_folded(phrase): concepts for phrase, concepts in of_classes.items()}
        self._longest = max(map(len, self._phrases))

    def understand(self, text: str) -> Words:
        """Return the concepts that a text names; the longest phrase counts, and `not` excludes the phrase after it.

        Raises:
            UnknownWord: a word that names nothing.
            QueryError: a text that wants nothing.
        """
        tokens = _tokens(text)
        wanted: dict[str, None] = {}
        unwanted: dict[str, None] = {}
        negated = was_negated = False
        at = 0
        while at < len(tokens):
            length, concepts = self._phrase(tokens[at : at + self._longest])
            if concepts:
                (unwanted if negated else wanted).update(dict.fromkeys(concepts))
                negated, was_negated = False, negated
            elif tokens[at] in NEGATIONS:
                negated = True
            elif tokens[at] in ALTERNATIVES:  # no dog or cat: neither
                negated |= was_negated
            elif tokens[at] not in FILLERS:
                raise self._unknown(tokens[at])
            at += length
        left = tuple(concept for concept in wanted if concept not in unwanted)
        if negated:
            raise QueryError(f"the text {text!r} given, a word after its last 'not' expected; say what is not wanted")
        if not left:
            raise QueryError(_wants_nothing(text, unwanted))
        return Words(left, tuple(unwanted))

    def _phrase(self, tokens: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
        """Return the length of the longest phrase at the beginning, and its concepts; 1 and () without one."""
        for length in range(len(tokens), 0, -1):
            phrase = tokens[:length]
            concepts = self._phrases.get(phrase) or self._folded.get(_folded(phrase))
            if concepts:
                return length, concepts
        return 1, ()

    def _unknown(self, word: str) -> UnknownWord:
        near = difflib.get_close_matches(word, [" ".join(phrase) for phrase in self._phrases], NEAREST)
        advice = f"the nearest known words are: {', '.join(near)}" if near else "no known word is near it"
        return UnknownWord(
            f"the word {word!r} given, words for what is heard or seen expected, such as dog, rain or acoustic guitar; "
            f"{advice}"
        )


def _wants_nothing(text: str, unwanted: Iterable[str]) -> str:
    given = f"the text {text!r} given, which names only what is not wanted" if unwanted else f"the text {text!r} given"
    return f"{given}; at least one word for what is heard or seen expected, such as dog, rain or acoustic guitar"


def _tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text in small letters, without accents and apostrophes; a dash before a word is `not`."""
    letters = unicodedata.normalize("NFKD", re.sub(r"['’](s\b)?", "", text.casefold()))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return tuple("not" if token == "-" else token for token in TOKEN.findall(plain))


def _folded(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words in the singular, as far as endings tell."""
    return tuple(_singular(token) for token in tokens)


def _singular(token: str) -> str:
    if len(token) > 4 and token.endswith("ies"):
        return token[:-3] + "y"
    if token.endswith(("sses", "shes", "ches", "xes")):
        return token[:-2]
    if len(token) > 3 and token.endswith("s") and not token.endswith("ss"):
        return token[:-1]
    return token
