"""From features to latents for several queries at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from app.media.decoding import Track
from model.data.latents import Latents
from model.errors import LibraryChanged
from model.frontends.prior import Prior
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False)
class Encoding:
    """Ask for the latents of a track's seconds, without their context; with `as_one`, for one row.

    That row is the second that the track is about, in its context, or the mean of all where it is about no single one.
    Raises LibraryChanged where another front-end made the track's features.
    """

    encoder: Encoder
    track: Track
    as_one: bool = False

    def __post_init__(self) -> None:
        checkpoint = self.encoder.checkpoint
        if self.track.front_end != checkpoint.front_end_identity:
            raise LibraryChanged(
                f"features of {self.track.front_end} given, of {checkpoint.front_end_identity} expected: the library "
                "has changed its front-end just now: ask again",
                checkpoint.front_end,
            )

    def of_heads(self, heads: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "m d"]:
        """Return the rows of which posteriors are wanted, from what the encoder says of each second."""
        if not self.as_one:
            return heads
        start_s, about_s = self.track.start_s, self.track.about_s
        if about_s is None:
            return np.asarray(heads.mean(0, keepdims=True))
        return np.asarray(self.in_context(heads)[start_s == about_s])

    def strengths(self, prior: Prior) -> Float32[np.ndarray, "concepts"]:
        """Return how strong each concept is in the second that the track is about, or on average in all."""
        track = self.track
        if track.about_s is None:
            return np.asarray(prior.strengths(track.modality, track.rows).mean(0))
        about = self.in_context(track.rows)[track.start_s == track.about_s]
        return np.asarray(prior.strengths(track.modality, about)[0])

    def in_context(self, values: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
        """Return the means of each second's values and its neighbours', up to a cut; a sound tells of no cut."""
        start_s = self.track.start_s
        scene = np.zeros(len(start_s), np.int64)
        if self.track.modality == "visual":
            scene = self.encoder.scenes(start_s, self.track.rows, np.ones(len(start_s), bool))
        return self.encoder.checkpoint.context.average(start_s, scene, values)


def encode_many(encodings: Sequence[Encoding]) -> list[Latents]:
    """Return the latents that each asks for; those of one model and one modality are encoded together."""
    together: dict[tuple[int, str], list[int]] = {}
    for index, encoding in enumerate(encodings):
        together.setdefault((id(encoding.encoder), encoding.track.modality), []).append(index)
    latents: dict[int, Latents] = {}
    for indexes in together.values():
        encoder, modality = encodings[indexes[0]].encoder, encodings[indexes[0]].track.modality
        rows = [encodings[index].track.rows for index in indexes]
        heads = np.split(encoder.heads(modality, np.concatenate(rows)), np.cumsum([len(r) for r in rows])[:-1])
        wanted = [encodings[index].of_heads(said) for index, said in zip(indexes, heads, strict=True)]
        every = encoder.posterior(np.concatenate(wanted))
        ends = np.cumsum([len(rows) for rows in wanted])
        for index, own, end in zip(indexes, wanted, ends.tolist(), strict=True):
            latents[index] = every[end - len(own) : end]
    return [latents[index] for index in range(len(encodings))]
