"""From features to latents for several queries at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from model.data.latents import Latents
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False)
class Encoding:
    """Ask for the latents of n >= 1 seconds; `averaged`: for one row that stands for all of them."""

    encoder: Encoder
    modality: Modality
    rows: Float32[np.ndarray, "n *shape"]
    averaged: bool = False


def encode_many(encodings: Sequence[Encoding]) -> list[Latents]:
    """Return the latents that each asks for; those of one model and one modality are encoded together."""
    together: dict[tuple[int, Modality], list[int]] = {}
    for place, encoding in enumerate(encodings):
        together.setdefault((id(encoding.encoder), encoding.modality), []).append(place)
    latents: dict[int, Latents] = {}
    for (_, modality), places in together.items():
        rows = np.concatenate([encodings[place].rows for place in places])
        every = encodings[places[0]].encoder.latents(modality, rows)
        ends = np.cumsum([len(encodings[place].rows) for place in places])
        for place, end in zip(places, ends.tolist(), strict=True):
            latents[place] = every[end - len(encodings[place].rows) : end]
    _average(encodings, latents)
    return [latents[place] for place in range(len(encodings))]


def _average(encodings: Sequence[Encoding], latents: dict[int, Latents]) -> None:
    """Put one row in the place of several where that is asked for; one decoding for all of one model."""
    together: dict[int, list[int]] = {}
    for place, encoding in enumerate(encodings):
        if encoding.averaged and len(latents[place]) > 1:
            together.setdefault(id(encoding.encoder), []).append(place)
    for places in together.values():
        means = encodings[places[0]].encoder.averages([latents[place] for place in places])
        for row, place in enumerate(places):
            latents[place] = means[row : row + 1]
