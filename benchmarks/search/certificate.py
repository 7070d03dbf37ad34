"""No false certificate: certified answers against brute force, on galleries made to break the proof.

    python -m benchmarks.search.certificate [--galleries 250] [--searches 100000] [--seed 0] [--json OUT]

Galleries of 1 to 3,000 items, of every kind of KINDS, with random score weights, in a third of them a budget, and in
half of them the directions of other items; masks, k, members, neighbours and strangers as queries, in batches. A
certified answer must equal the oracle's ids and distances bit by bit, ties included; `false` counts those that do not.
Where no budget ends a search, it must be certified: `certified_share_without_budget` is 1.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from benchmarks.report import json_parser, tell
from index.brute_force import BruteForceGallery
from index.certified_gallery import CertifiedGallery
from index.gallery import SearchResult
from model.data.distance import LEAST_WEIGHT, MOST_WEIGHT, ScoreWeights
from model.data.latents import Latents

LATENT = 8
PAIRS = (24, 100)  # fewer and more numbers than the prefilter has directions
LARGEST = 3000
BATCH = 16
KINDS = (
    "clustered",
    "zero sigma",
    "duplicates",
    "all equal",
    "lattice",
    "huge",
    "tiny",
    "far from zero",
    "every size",
    "one outlier",
)
WEIGHTS = (
    ScoreWeights(),
    ScoreWeights(0.03, 0.03),
    ScoreWeights(0.1, 4.0),
    ScoreWeights(1, 0),
    ScoreWeights(0, 1),
    ScoreWeights(LEAST_WEIGHT, LEAST_WEIGHT),
    ScoreWeights(MOST_WEIGHT, MOST_WEIGHT),
    ScoreWeights(LEAST_WEIGHT, MOST_WEIGHT),
)


@dataclass
class Count:
    """Count searches and what came of them."""

    searches: int = 0
    certified: int = 0
    unlimited: int = 0  # searches without a budget
    unlimited_certified: int = 0
    false: int = 0


def main() -> None:
    """Run it; exit 1 if any certificate is false."""
    parser = json_parser(__doc__)
    parser.add_argument("--galleries", type=int, default=250)
    parser.add_argument("--searches", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    report = search(arguments.galleries, arguments.searches, arguments.seed)
    tell(report, arguments.json)
    sys.exit(1 if report["false"] else 0)


def search(galleries: int, searches: int, seed: int) -> dict[str, Any]:
    """Search as often, evenly over so many galleries."""
    count = Count()
    for number in range(galleries):
        random = np.random.default_rng((seed, number))
        _search_one(random, KINDS[number % len(KINDS)], -(-searches // galleries), count)
    return {
        "galleries": galleries,
        "kinds": list(KINDS),
        "searches": count.searches,
        "false": count.false,
        "certified_share": count.certified / count.searches,
        "certified_share_without_budget": count.unlimited_certified / count.unlimited,
    }


def _search_one(random: np.random.Generator, kind: str, searches: int, count: Count) -> None:
    items = int(random.integers(1, LARGEST))
    pair, weights = int(random.choice(PAIRS)), WEIGHTS[random.integers(len(WEIGHTS))]
    latents = draw(kind, items, pair, random)
    ids = random.permutation(3 * items)[:items].astype(np.int64)
    budget = int(random.integers(1, 300)) if random.random() < 1 / 3 else None
    before = None
    if random.random() < 1 / 2:
        others = draw(KINDS[random.integers(len(KINDS))], items, pair, random)
        before = CertifiedGallery(ids, others, weights)
    gallery = CertifiedGallery(ids, latents, weights, budget=budget, before=before)
    oracle = BruteForceGallery(ids, latents, weights)
    done = 0
    while done < searches:
        queries = _queries(latents, kind, min(BATCH, searches - done), random)
        k, allowed = int(random.choice([1, 3, 10, 50, items])), _mask(items, random)
        for found, true in zip(
            gallery.search_batch(queries, k, allowed), oracle.search_batch(queries, k, allowed), strict=True
        ):
            count.searches += 1
            count.certified += found.certified
            count.unlimited += budget is None
            count.unlimited_certified += budget is None and found.certified
            count.false += found.certified and not _same(found, true)
        done += len(queries)


def draw(kind: str, items: int, pair: int, random: np.random.Generator) -> Latents:
    """Draw latents of a kind, whose pairs have so many numbers."""
    if kind == "lattice":  # ties everywhere
        mu, sigma, generated = (1.0 * random.integers(2, size=(items, d)) for d in (LATENT, LATENT, pair))
    else:
        centres = 2 * np.random.default_rng(2).standard_normal((5, LATENT))
        mu = centres[random.integers(5, size=items)] + 0.5 * random.standard_normal((items, LATENT))
        sigma = np.exp(0.3 * random.standard_normal((items, LATENT)) - 1)
        generated = np.tanh(mu @ np.random.default_rng(1).standard_normal((LATENT, pair)))
    scale, offset = np.ones((items, 1)), 0.0
    if kind == "huge":
        scale = scale * 1e37
    elif kind == "tiny":
        scale = scale * 1e-38
    elif kind == "far from zero":
        scale, offset = scale * 1e-3, 1e4
    elif kind == "every size":
        scale = 10.0 ** random.uniform(-30, 30, (items, 1))
    elif kind == "one outlier":
        scale[items // 2] = 1e20
    parts = [(part * scale + offset).astype(np.float32) for part in (mu, sigma, generated)]
    if kind == "zero sigma":
        parts[1] = np.zeros_like(parts[1])
    latents = Latents(*parts)
    if kind == "duplicates":
        return latents[random.integers(0, -(-items // 5), items)]
    return latents[np.zeros(items, np.int64)] if kind == "all equal" else latents


def _queries(items: Latents, kind: str, count: int, random: np.random.Generator) -> Latents:
    asked = random.integers(3)
    if asked == 0:
        return items[random.integers(0, len(items), count)]
    other = kind if asked == 1 else KINDS[random.integers(len(KINDS))]
    return draw(other, count, items.generated.shape[1], random)


def _mask(items: int, random: np.random.Generator) -> Bool[np.ndarray, "n"] | None:
    share = random.choice([-1, -1, 0, 0.05, 0.6])
    return None if share < 0 else np.asarray(random.random(items) < share)


def _same(found: SearchResult, true: SearchResult) -> bool:
    pairs = ((found.ids, true.ids), (found.distance, true.distance), (found.latent, true.latent))
    return all(np.array_equal(*pair) for pair in pairs)


if __name__ == "__main__":
    main()
