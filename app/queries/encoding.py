"""From features to latents for several queries at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from app.media.decoding import Track
from model.data.latents import Latents
from model.errors import LibraryChanged
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False)
class Encoding:
    """Ask for the latents of n >= 1 seconds; `averaged`: for one row that stands for all of them."""

    encoder: Encoder
    modality: Modality
    rows: Float32[np.ndarray, "n *shape"]
    averaged: bool = False

    @classmethod
    def of(cls, encoder: Encoder, track: Track, averaged: bool = False) -> Encoding:
        """Ask for a track's latents. LibraryChanged where another front-end made its features."""
        checkpoint = encoder.checkpoint
        if track.front_end != checkpoint.front_end_identity:
            raise LibraryChanged(
                f"features of {track.front_end} given, of {checkpoint.front_end_identity} expected: the library has "
                "changed its front-end just now: ask again",
                checkpoint.front_end,
            )
        return cls(encoder, track.modality, track.rows, averaged)


def encode_many(encodings: Sequence[Encoding]) -> list[Latents]:
    """Return the latents that each asks for; those of one model and one modality are encoded together."""
    together: dict[tuple[int, Modality], list[int]] = {}
    for index, encoding in enumerate(encodings):
        together.setdefault((id(encoding.encoder), encoding.modality), []).append(index)
    latents: dict[int, Latents] = {}
    for (_, modality), indexes in together.items():
        rows = np.concatenate([encodings[index].rows for index in indexes])
        every = encodings[indexes[0]].encoder.latents(modality, rows)
        ends = np.cumsum([len(encodings[index].rows) for index in indexes])
        for index, end in zip(indexes, ends.tolist(), strict=True):
            latents[index] = every[end - len(encodings[index].rows) : end]
    _average(encodings, latents)
    return [latents[index] for index in range(len(encodings))]


def _average(encodings: Sequence[Encoding], latents: dict[int, Latents]) -> None:
    """Replace several rows by one where that is asked for; one decoding for all of one model."""
    together: dict[int, list[int]] = {}
    for index, encoding in enumerate(encodings):
        if encoding.averaged and len(latents[index]) > 1:
            together.setdefault(id(encoding.encoder), []).append(index)
    for indexes in together.values():
        means = encodings[indexes[0]].encoder.averages([latents[index] for index in indexes])
        for row, index in enumerate(indexes):
            latents[index] = means[row : row + 1]
