"""The concepts of concepts.toml, as numbers and as words. numpy only.

The lists of names are those of the networks' outputs, in their order, as published: sound_classes.txt has the 521
of YAMNet (`display_name` of TensorFlow's yamnet_class_map.csv); picture_classes.txt has the 1,000 of ImageNet 2012
(Coral's imagenet_labels.txt without its first line, `background`).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from model.concepts.vocabulary import Vocabulary, Words
from model.modality import MODALITIES, Modality

HERE = Path(__file__).parent
FILES = ("concepts.toml", "sound_classes.txt", "picture_classes.txt")
KEYS: Mapping[Modality, str] = {"audio": "sounds", "visual": "pictures"}


class Concepts:
    """Hold C concepts that bridge the classes of sounds and pictures.

    `names` are the concepts, in the order of the table; `class_names` the classes of a modality, in the order of its
    network's outputs; `digest` identifies the table and both lists.
    """

    def __init__(
        self, table: Mapping[str, Mapping[str, Any]], class_names: Mapping[Modality, Sequence[str]], digest: str = ""
    ) -> None:
        """Take the table, as concepts.toml has it, the names of the classes, and the digest of both.

        Raises:
            KeyError: a class or a broader concept that does not exist.
        """
        self.names = tuple(table)
        self.class_names = {modality: tuple(class_names[modality]) for modality in MODALITIES}
        self.digest = digest
        self._table = table
        number = {name: concept for concept, name in enumerate(self.names)}
        self._above = [[number[above] for above in self.broader(name)] for name in self.names]
        self._own = {modality: self._own_classes(modality) for modality in MODALITIES}
        self._all = {modality: own.copy() for modality, own in self._own.items()}
        for modality, own in self._own.items():
            for concept, above in enumerate(self._above):
                self._all[modality][above] |= own[concept]

    @staticmethod
    @cache
    def load() -> Concepts:
        """Return the concepts that ship with the project."""
        contents = [(HERE / file).read_bytes() for file in FILES]
        table, sounds, pictures = (content.decode() for content in contents)
        class_names: dict[Modality, list[str]] = {"audio": sounds.splitlines(), "visual": pictures.splitlines()}
        return Concepts(tomllib.loads(table), class_names, hashlib.sha256(b"\0".join(contents)).hexdigest())

    def classes(self, modality: Modality) -> Bool[np.ndarray, "concepts classes"]:
        """Return which classes each concept has: its own and those of all narrower concepts."""
        return self._all[modality]

    def evidence(
        self, modality: Modality, scores: Float32[np.ndarray, "n classes"]
    ) -> Float32[np.ndarray, "n concepts"]:
        """Sum the scores of each concept's classes, over the root of their number; 0 for a side that is missing.

        Each second is summed by itself: it gets the same bits in any company.
        """
        weights = self._weights[modality]
        return np.array([weights @ second for second in scores], np.float32).reshape(len(scores), len(self.names))

    def only(self) -> dict[str, str]:
        """Return the concepts that lack a side, with the side that they have: `sound` or `picture`."""
        return {name: row["only"] for name, row in self._table.items() if "only" in row}

    def broader(self, name: str) -> tuple[str, ...]:
        """Return all concepts above this one, the nearest first."""
        found: dict[str, None] = {}
        level = [name]
        while level:
            level = [above for below in level for above in self._table[below].get("broader", ()) if above not in found]
            found.update(dict.fromkeys(level))
        return tuple(found)

    def understand(self, text: str) -> Words:
        """Return the concepts that a text names; a class's name stands for the narrowest concepts that have it.

        Raises:
            UnknownWord: a word that names no concept and no class.
            QueryError: a text that wants nothing.
        """
        return self._vocabulary.understand(text)

    @cached_property
    def _weights(self) -> dict[Modality, Float32[np.ndarray, "concepts classes"]]:
        return {
            modality: (members / np.sqrt(np.maximum(members.sum(1, keepdims=True), 1))).astype(np.float32)
            for modality, members in self._all.items()
        }

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        words = {name: [name, *" ".join(row["words"].split()).split(", ")] for name, row in self._table.items()}
        holders: list[tuple[str, tuple[str, ...]]] = []
        for modality in MODALITIES:
            narrowest = self._own[modality].copy()
            for concept, above in enumerate(self._above):
                narrowest[above] &= ~self._all[modality][concept]
            for column, name in zip(narrowest.T, self.class_names[modality], strict=True):
                holders.append((name, tuple(self.names[concept] for concept in np.flatnonzero(column))))
        return Vocabulary(words, holders)

    def _own_classes(self, modality: Modality) -> Bool[np.ndarray, "concepts classes"]:
        numbers = _numbers(self.class_names[modality])
        own: Bool[np.ndarray, "concepts classes"] = np.zeros((len(self.names), len(self.class_names[modality])), bool)
        for concept, row in enumerate(self._table.values()):
            for entry in row.get(KEYS[modality], ()):
                first, _, last = entry.partition(" .. ")
                own[concept, numbers[first] : numbers[last or first] + 1] = True
        return own


def _numbers(names: Sequence[str]) -> dict[str, int]:
    """Number the classes by full name and by first name where unique, and by "NAME #NUMBER" where full names repeat."""
    full = Counter(names)
    first = Counter(name.split(", ")[0] for name in names)
    numbers = {(name if full[name] == 1 else f"{name} #{number}"): number for number, name in enumerate(names)}
    for number, name in enumerate(names):
        short = name.split(", ")[0]
        if first[short] == 1:
            numbers[short] = number
    return numbers
