"""A kind's sound, recorded elsewhere, asks clips for pictures: is what shows the kind found, and its absence noticed?

A kind is present if the label of a clip says so; every other kind is absent. Each recording is a query as the service
takes it: the mean of its first ten seconds, which asks for ten seconds with a picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Shaped

from app.media.decoding import Track
from app.queries.encoding import Encoding, encode_many
from benchmarks.quality.uncertainty import estimate
from model.data.corpus import Corpus
from model.data.distance import distances
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.network.match import Verdict

# Words, one of which a label has if its clip shows the kind; of several words in one string, all.
# Of a kind that is not here, the label has all words of its name.
KINDS: dict[str, tuple[str, ...]] = {
    "baby-cry": ("baby", "infant"),
    "chainsaw": ("chainsaw", "chainsawing"),
    "clock-tick": ("clock", "ticking"),
    "dog-bark": ("dog", "dogs", "bark", "barking"),
    "fire-crackling": ("fire crackling", "campfire", "fireplace", "bonfire"),
    "helicopter": ("helicopter",),
    "person-sneeze": ("sneeze", "sneezing"),
    "rain": ("rain", "raining"),
    "rooster": ("rooster", "crowing"),
    "sea-waves": ("sea", "ocean", "waves"),
}
HITS = 10  # as many as an answer has
DRAWS = 5000

Weights = Float64[np.ndarray, "draws n"]


@dataclass(frozen=True)
class Recording:
    """Hold the features of a sound, and its kind."""

    kind: str
    track: Track


@dataclass(frozen=True)
class Found:
    """Say what a recording found: the videos, best first; best match and smallest distance; the verdict."""

    kind: str
    videos: tuple[int, ...]
    match: float
    distance: float
    verdict: Verdict


def shows(kind: str, label: str | None) -> bool:
    """Say whether the label of a clip names a kind."""
    said = set(re.findall(r"\w+", (label or "").lower()))
    return any(said.issuperset(words.split()) for words in KINDS.get(kind, (kind.replace("-", " "),)))


def ask(model: Checkpoint, corpus: Corpus, recordings: Sequence[Recording], device: torch.device) -> list[Found]:
    """Ask all seconds of a corpus that have a picture."""
    encoder = Encoder(model, device)
    seconds = np.flatnonzero(corpus.seen)
    items, video = encoder.of_corpus("visual", corpus, seconds), corpus.video[seconds]
    queries = encode_many([Encoding(encoder, recording.track, as_one=True) for recording in recordings])
    assert model.match is not None, "it was fitted"
    found = []
    for recording, query in zip(recordings, queries, strict=True):
        total = distances(query, items, model.weights).total[0]
        order = np.argsort(total, kind="stable")
        nearest = order[:HITS]
        best = float(model.match.probability("audio", "visual", query, items[nearest], total[nearest]).max())
        verdict = model.match.verdict("audio", "visual", best, len(np.unique(video)))
        videos = tuple(dict.fromkeys(video[order].tolist()))
        found.append(Found(recording.kind, videos, best, float(total[order[0]]), verdict))
    return found


def describe(found: Sequence[Found], showing: dict[str, frozenset[int]]) -> dict[str, Any]:
    """Return the figures of all recordings; `showing`: the videos that show each present kind.

    Intervals: bootstraps over recordings, and over kinds with all their recordings (`by_kind`).
    """
    kinds = np.array([f.kind for f in found])
    present = np.isin(kinds, list(showing))
    right = [f for f in found if f.kind in showing]
    first = np.array([f.videos[0] in showing[f.kind] for f in right], np.float64)
    three = np.array([bool(showing[f.kind].intersection(f.videos[:3])) for f in right], np.float64)
    match, distance = (np.array([getattr(f, name) for f in found]) for name in ("match", "distance"))
    nothing = np.array([f.verdict == "nothing" for f in found])
    return {
        "recordings": {"present": int(present.sum()), "absent": int((~present).sum())},
        "right_first": _share(first, kinds[present]),
        "right_among_three": _share(three, kinds[present]),
        "auc_of_match": _auc(match, present, kinds),
        "auc_of_distance": _auc(-distance, present, kinds),
        "nothing": {
            "said": int(nothing.sum()),
            "of_absent_kinds": float((~present)[nothing].mean()) if nothing.any() else None,
            "absent_noticed": _share(nothing[~present].astype(np.float64), kinds[~present]),
            "present_lost": _share(nothing[present].astype(np.float64), kinds[present]),
        },
        "kinds": {
            kind: {
                "present": kind in showing,
                "clips": len(showing.get(kind, ())),
                "right_first": float(first[kinds[present] == kind].mean()) if kind in showing else None,
                "right_among_three": float(three[kinds[present] == kind].mean()) if kind in showing else None,
                "mean_match": float(match[kinds == kind].mean()),
                "nothing": float(nothing[kinds == kind].mean()),
            }
            for kind in sorted(set(kinds.tolist()))
        },
    }


def area_under_curve(positive: Float64[np.ndarray, "p"], negative: Float64[np.ndarray, "n"]) -> float:
    """Return how often a positive is above a negative, ties half."""
    return float(_wins(positive, negative).mean())


def chance_of(showing: int, videos: int, among: int) -> float:
    """Return how often one of `showing` videos is among the first of so many in random order."""
    missed = np.prod([(videos - showing - i) / (videos - i) for i in range(among)])
    return float(1 - missed)


def _share(values: Float64[np.ndarray, "n"], kinds: Shaped[np.ndarray, "n"]) -> Any:
    return _estimated(lambda w: w @ values / w.sum(1), kinds)


def _auc(values: Float64[np.ndarray, "n"], present: Bool[np.ndarray, "n"], kinds: Shaped[np.ndarray, "n"]) -> Any:
    if present.all() or not present.any():
        return None
    wins = _wins(values[present], values[~present])

    def statistic(positive: Weights, negative: Weights) -> Float64[np.ndarray, "draws"]:
        return np.asarray(((positive @ wins) * negative).sum(1) / positive.sum(1) / negative.sum(1))

    return _estimated(statistic, kinds[present], kinds[~present])


def _estimated(statistic: Callable[..., Float64[np.ndarray, "draws"]], *kinds: Shaped[np.ndarray, "n"]) -> Any:
    """Return a statistic of weights of one or two sets of recordings, with its intervals."""
    if not all(len(of) for of in kinds):
        return None
    value = float(statistic(*(np.ones((1, len(of))) for of in kinds))[0])
    rng = np.random.default_rng(0)
    recordings = statistic(*(_drawn(np.arange(len(of)), rng) for of in kinds))
    by_kind = estimate(value, statistic(*(_drawn(of, rng) for of in kinds)), len(set(np.concatenate(kinds).tolist())))
    return estimate(value, recordings, sum(map(len, kinds))) | {"by_kind": by_kind}


def _drawn(groups: Shaped[np.ndarray, "n"], rng: np.random.Generator) -> Weights:
    """Return how often each row is drawn in each of many resamplings of whole groups."""
    names, number = np.unique(groups, return_inverse=True)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)[:, number].astype(np.float64)


def _wins(positive: Float64[np.ndarray, "p"], negative: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "p n"]:
    return np.asarray((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative))
