"""From features to what the catalogue keeps of them: latents and concepts of each second, in context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from index.records import LatentBatch, Second
from model.data.feature_parts import context_of
from model.data.features import Features
from model.frontends.prior import Prior
from model.modality import Modality
from model.network.encoder import Encoder

Batches = dict[Modality, LatentBatch]


def encoded(encoder: Encoder, features: Features, prior: Prior | None) -> Batches:
    """Return the items by modality, of the seconds that have it, in context; with a prior each has its concepts."""
    scene = encoder.scenes(features.start_s, features.visual, features.seen)
    batches: Batches = {}
    modalities: tuple[tuple[Modality, np.ndarray, np.ndarray], ...] = (
        ("audio", features.audio, features.heard),
        ("visual", features.visual, features.seen),
    )
    for modality, values, mask in modalities:
        if mask.any():
            rows = np.ascontiguousarray(values[mask])
            at = features.start_s[mask], scene[mask]
            concepts = None
            if prior is not None:
                around = encoder.checkpoint.context.average(*at, rows)
                concepts = np.rint(255 * prior.strengths(modality, around)).astype(np.uint8)
            batches[modality] = LatentBatch(at[0], encoder.in_context(modality, rows, *at), concepts)
    return batches


class PartEncoder:
    """Encode a recording part by part, as if it were encoded as a whole.

    The last seconds of a part have neighbours in the next one: they are encoded once with what is there, and again, as
    a part of the next part's items, once that is known.
    """

    def __init__(self, encoder: Encoder | None, prior: Prior | None, before: Features | None = None) -> None:
        """`before`: the seconds before the first part, at least `context_s` of them."""
        self._encoder, self._prior, self._before = encoder, prior, before

    @property
    def context_s(self) -> int:
        """Return how many seconds before a part are needed: the neighbours of those that it changes."""
        return 0 if self._encoder is None else 2 * self._encoder.checkpoint.context.width_s

    def encoded(self, part: Features) -> Batches:
        """Return the items of the next part, and of the last seconds before it. None of a library without a model."""
        before = self._before
        joined = part if before is None else Features.joined([before, part])
        self.pass_over(part)
        if self._encoder is None or not len(part):
            return {}
        batches = encoded(self._encoder, joined, self._prior)
        first_s = int(part.start_s[0]) - self._encoder.checkpoint.context.width_s
        return {modality: _since(batch, first_s) for modality, batch in batches.items()}

    def pass_over(self, part: Features) -> None:
        """Take the next part for context alone."""
        if len(part):
            joined = part if self._before is None else Features.joined([self._before, part])
            self._before = context_of(joined, int(part.start_s[-1]) + 1 - self.context_s)


def encoded_parts(encoder: Encoder, parts: Iterable[Features], prior: Prior | None) -> Iterator[Batches]:
    """Yield the items of a recording, part by part; items that come again replace those that came before."""
    by_part = PartEncoder(encoder, prior)
    for part in parts:
        yield by_part.encoded(part)


def _since(batch: LatentBatch, start_s: int) -> LatentBatch:
    chosen = np.flatnonzero(batch.start_s >= start_s)
    concepts = None if batch.concepts is None else batch.concepts[chosen]
    return LatentBatch(batch.start_s[chosen], batch.latents[chosen], concepts)


def seconds_of(features: Features) -> list[Second]:
    """Return the seconds for the catalogue."""
    columns = (features.start_s, features.heard, features.seen, features.sound_whole, features.frame_whole)
    return [Second(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
