"""What a front-end knows across modalities before any footage: concepts, and their evidence in its features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.concepts.concepts import Concepts
from model.errors import FrontEndError, QueryError
from model.modality import MODALITIES, Modality

USUAL_EVIDENCE = Path(__file__).with_name("usual_evidence.json")
# Log evidence is log(evidence + floor), so that no evidence is finite. The classes of a picture share a softmax.
EVIDENCE_FLOOR: dict[Modality, float] = {"audio": 0.01, "visual": 0.003}
PLAIN_SCORE = 0.1  # of pictures at the temperature of `pretrained`


@dataclass(frozen=True, eq=False)
class Prior:
    """Say what a front-end knows across modalities: the concepts, and where their log evidence lies in its features.

    Features end with the log evidence of the C concepts. Over generic footage, `usual` is its mean, and `spread` the
    root mean square of its difference from that.
    """

    concepts: Concepts
    usual: dict[Modality, Float32[np.ndarray, "C"]]
    spread: dict[Modality, float]

    @staticmethod
    def load(concepts: Concepts, path: Path = USUAL_EVIDENCE) -> Prior:
        """Read the usual log evidence, {modality: {"usual": {concept: number}, "spread": number}}.

        Raises:
            FrontEndError: the file is about other concepts.
        """
        usual = json.loads(path.read_text(encoding="utf-8"))
        for modality in MODALITIES:
            if differing := set(usual[modality]["usual"]) ^ set(concepts.names):
                raise FrontEndError(
                    f"{path.name} ({modality}) and the table of concepts differ in {len(differing)} concepts, such as "
                    f"{min(differing)!r}; the same were expected: measure the usual evidence again"
                )
        return Prior(
            concepts,
            {m: np.array([usual[m]["usual"][name] for name in concepts.names], np.float32) for m in MODALITIES},
            {m: float(usual[m]["spread"]) for m in MODALITIES},
        )

    def log_evidence(self, modality: Modality, scores: Float32[np.ndarray, "classes"]) -> Float32[np.ndarray, "C"]:
        """Return the log evidence that scores of classes (0 to 1) give, as features hold it."""
        evidence: np.ndarray = self.concepts.evidence(modality, scores[np.newaxis])[0]
        return np.log(evidence + np.float32(EVIDENCE_FLOOR[modality]))

    def evidence(self, modality: Modality, features: Float32[np.ndarray, "n D"]) -> Float32[np.ndarray, "n C"]:
        """Return the log evidence in features less the usual one: 0 is as usual, more is more than usual."""
        evidence: np.ndarray = features[:, -len(self.concepts.names) :] - self.usual[modality]
        return evidence

    def strengths(self, modality: Modality, features: Float32[np.ndarray, "n D"]) -> Float32[np.ndarray, "n C"]:
        """Return 0 where a concept is no more evident than usual, up to 1 where it is plain."""
        most = np.log(self.plain(modality) + np.float32(EVIDENCE_FLOOR[modality])) - self.usual[modality]
        strengths: np.ndarray = np.clip(self.evidence(modality, features) / most, 0, 1)
        return strengths

    def plain(self, modality: Modality) -> Float32[np.ndarray, "C"]:
        """Return the evidence of each concept in a second in which it is plain.

        Of a sound it is 1: several of its classes are heard at once. The classes of a picture share a softmax, which is
        flat: they get PLAIN_SCORE together, beside the even share that every class gets.
        """
        classes = self.concepts.classes(modality)
        if modality == "audio":
            return np.ones(len(classes), np.float32)
        number = np.maximum(classes.sum(1), 1)
        return np.asarray((number / classes.shape[1] + PLAIN_SCORE) / np.sqrt(number), np.float32)

    def text(self, words: str, target: Modality, like: Float32[np.ndarray, "D"]) -> Float32[np.ndarray, "D"]:
        """Return the features of a second in which the concepts that words name are plain, `like` as of `row`.

        Raises:
            UnknownWord: a word that names nothing. QueryError: none that is wanted has a side of the target modality.
        """
        named = self.concepts.understand(words)
        classes = self.concepts.classes(target)[[self.concepts.names.index(name) for name in named.wanted]]
        if not classes.any():
            (other,) = (modality for modality in MODALITIES if modality != target)
            raise QueryError(
                f"a text that names {', '.join(named.wanted)} given, which has no {target} side: ask with "
                f"target={other}"
            )
        features: np.ndarray = self.row(target, named.wanted, named.unwanted, like)[0]
        return features

    def row(
        self, modality: Modality, wanted: Sequence[str], unwanted: Sequence[str], like: Float32[np.ndarray, "D"]
    ) -> Float32[np.ndarray, "1 D"]:
        """Return the features of a second in which the wanted concepts are plain, and else nothing is known.

        `like`: the features of a second, whose embedding is kept; its evidence becomes the usual one. The classes of a
        wanted concept get equal scores, which make it plain; concepts that share them, such as broader ones, get their
        part. Unwanted concepts, and narrower ones, have no evidence.
        """
        names = self.concepts.names
        classes, plain = self.concepts.classes(modality), self.plain(modality)
        scores = np.zeros(classes.shape[1], np.float32)
        for name in wanted:
            concept = names.index(name)
            own = classes[concept]
            scores[own] = np.maximum(scores[own], plain[concept] / np.sqrt(np.float32(max(1, own.sum()))))
        for name in unwanted:
            scores[classes[names.index(name)]] = 0
        features = like.copy()
        known: np.ndarray = features[-len(names) :]  # a view
        known[:] = self.usual[modality]
        np.maximum(known, self.log_evidence(modality, scores), out=known)
        absent = [not {name, *self.concepts.broader(name)}.isdisjoint(unwanted) for name in names]
        known[absent] = np.log(np.float32(EVIDENCE_FLOOR[modality]))
        return features[np.newaxis]
