"""The directions in which a gallery's items differ most; they stay valid when items come and go."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from index.contraction import Contraction
from index.latents_on_disk import LatentsOnDisk
from index.prefilter import Prefilter, sample_rows
from index.rounding import LONGEST, SHORT, Rounding
from model.data.distance import ScoreWeights
from model.data.latents import Latents

COMPONENTS = SHORT - 9  # of each block of p in the sieve, whose numbers are one more
LEAST_SHARED = 0.5  # of the items that they were fitted to and of those now; with fewer in common they are fitted again


@dataclass(frozen=True, eq=False)
class Directions:
    """Hold how p is made of latents, and how each block of p is contracted for the sieve.

    Every bound holds for any directions; those fitted to the items make it tight. `scale`: about the largest norm of p.
    `fitted_to`: the ids of the items.
    """

    prefilter: Prefilter
    sieve: tuple[Contraction, ...]
    scale: float
    fitted_to: Int64[np.ndarray, "n"]

    @classmethod
    def fit(cls, ids: Int64[np.ndarray, "n"], items: Latents | LatentsOnDisk, weights: ScoreWeights) -> Directions:
        """Fit them to about a thousand of n items, evenly spread; deterministic."""
        prefilter = Prefilter.fit(items, weights)
        p = prefilter.project(items[sample_rows(len(items))])
        sieve = tuple(Contraction.fit_centred(block, COMPONENTS) for block in prefilter.split(p))
        return cls(prefilter, sieve, float(np.linalg.norm(p, axis=1).max()) or 1.0, ids)

    @property
    def rounding(self) -> Rounding:
        """Return what it costs to store p and its contractions."""
        widths = len(self.prefilter.gaussian), len(self.prefilter.generated.centre)
        return Rounding(self.scale, sum(self.prefilter.widths), LONGEST, max(widths))

    def suit(self, ids: Int64[np.ndarray, "m"], weights: ScoreWeights) -> bool:
        """Say whether they suit these items of the same model: most must be items that they were fitted to."""
        shared = np.count_nonzero(np.isin(ids, self.fitted_to, assume_unique=True))
        return self.prefilter.weights == weights and bool(shared >= LEAST_SHARED * max(len(ids), len(self.fitted_to)))

    def save(self, path: Path) -> None:
        """Write them to a file. OSError if the disk refuses."""
        arrays = {
            "weights": np.array([self.prefilter.weights.latent, self.prefilter.weights.generated]),
            "gaussian": self.prefilter.gaussian,
            "centre": self.prefilter.generated.centre,
            "components": self.prefilter.generated.components,
            "scale": np.array(self.scale),
            "fitted_to": self.fitted_to,
        }
        for i, contract in enumerate(self.sieve):
            arrays |= {f"sieve_centre{i}": contract.centre, f"sieve{i}": contract.components}
        with path.open("wb") as file:
            np.savez(file, **dict[str, Any](arrays))

    @classmethod
    def load(cls, path: Path) -> Directions:
        """Read what `save` wrote. OSError, ValueError or KeyError if it is not that."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
        except (zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"{path} is damaged") from error
        weights = ScoreWeights(*arrays["weights"].tolist())
        prefilter = Prefilter(weights, arrays["gaussian"], Contraction(arrays["centre"], arrays["components"]))
        sieve = tuple(
            Contraction(arrays[f"sieve_centre{i}"], arrays[f"sieve{i}"]) for i in range(len(prefilter.widths))
        )
        return cls(prefilter, sieve, float(arrays["scale"]), arrays["fitted_to"])
