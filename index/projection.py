"""How the items of a collection become vectors, and what is known of them: kept in a file from start to start."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float32

from index.contraction import Contraction
from index.latents_on_disk import LatentsOnDisk
from index.prefilter import Prefilter, sample_rows
from index.rounding import LARGEST_QUERY_NORM
from model.data.distance import ScoreWeights
from model.data.latents import Latents

MEANING = "v2"  # counts what a row of a collection has meant
MOST_GROWTH = 4  # as many items as it was fitted to; with more it is fitted again
DIGITS = 16  # of the digest: 64 bits
UNREADABLE = (OSError, EOFError, ValueError, KeyError, BadZipFile)
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Projection:
    """Map latents to p, float32 in units of `scale`: the norm of about the longest.

    `key`: names the model whose items it was fitted to, `items` of them. `recall`: as measured with it, None if it was
    not; `unmeasured`: items that have changed since.
    """

    key: str
    prefilter: Prefilter
    scale: float
    items: int
    recall: float | None = None
    unmeasured: int = 0

    @classmethod
    def fit(cls, key: str, items: Latents | LatentsOnDisk, weights: ScoreWeights) -> Projection:
        """Fit it to about a thousand of the items, evenly spread; deterministic."""
        sample = items[sample_rows(len(items))]
        prefilter = Prefilter.fit(sample, weights)
        return cls(key, prefilter, prefilter.largest_norm(sample) or 1.0, len(items))

    @classmethod
    def load(cls, path: Path) -> Projection | None:
        """Read a file; None where there is none that can be read."""
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                contraction = Contraction(file["centre"], file["components"])
                prefilter = Prefilter(ScoreWeights(*file["weights"].tolist()), file["gaussian"], contraction)
                recall = float(file["recall"])
                return cls(
                    str(file["key"]),
                    prefilter,
                    float(file["scale"]),
                    int(file["items"]),
                    None if np.isnan(recall) else recall,
                    int(file["unmeasured"]),
                )
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            log.warning("%s cannot be read (%s): the collection is filled anew", path, error)
            return None

    def save(self, path: Path) -> None:
        """Replace a file atomically; if the disk refuses, log a warning: the next start fits it anew."""
        arrays = {
            "key": np.array(self.key),
            "weights": np.array([self.prefilter.weights.latent, self.prefilter.weights.generated]),
            "gaussian": self.prefilter.gaussian,
            "centre": self.prefilter.generated.centre,
            "components": self.prefilter.generated.components,
            "scale": np.array(self.scale),
            "items": np.array(self.items),
            "recall": np.array(np.nan if self.recall is None else self.recall),
            "unmeasured": np.array(self.unmeasured),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}.partial")
            with partial.open("wb") as out:
                np.savez(out, **dict[str, Any](arrays))
            os.replace(partial, path)
        except OSError as error:
            log.warning("%s cannot be written (%s): the next start may fill the collection anew", path, error)

    @property
    def width(self) -> int:
        """Return how many numbers p has."""
        return sum(self.prefilter.widths)

    @property
    def digest(self) -> str:
        """Return what a collection of such vectors is called by."""
        digest = hashlib.sha256(f"{MEANING} {self.key} {self.prefilter.weights} {self.scale}".encode())
        for array in (self.prefilter.gaussian, self.prefilter.generated.centre, self.prefilter.generated.components):
            digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array).data)
        return f"{MEANING}_{digest.hexdigest()[:DIGITS]}"

    def suits(self, key: str, items: Latents | LatentsOnDisk, weights: ScoreWeights) -> bool:
        """Say whether these items can be searched with it."""
        latent, _, pair = items.widths
        widths = (len(self.prefilter.gaussian), len(self.prefilter.generated.centre))
        made_for = (self.key, self.prefilter.weights, widths)
        return made_for == (key, weights, (2 * latent, pair)) and len(items) <= MOST_GROWTH * self.items

    def pack(self, items: Latents) -> Float32[np.ndarray, "n width"]:
        """Return p of items or queries; what is too far away for float32 lies on the way there."""
        p = self.prefilter.project(items) / self.scale
        norms = np.linalg.norm(p, axis=1, keepdims=True)
        too_far = norms > LARGEST_QUERY_NORM
        return (p * np.where(too_far, LARGEST_QUERY_NORM / np.where(too_far, norms, 1), 1)).astype(np.float32)

    def measured(self, recall: float) -> Projection:
        """Return it with the recall of now."""
        return replace(self, recall=recall, unmeasured=0)

    def changed(self, items: int) -> Projection:
        """Return it after so many more items have changed."""
        return replace(self, unmeasured=self.unmeasured + items)
