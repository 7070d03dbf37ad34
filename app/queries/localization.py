"""Localization: where in a video does one see what one hears, or hear what one sees?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from app.library.session import Session
from app.media.decoding import Decoded, Place, decode_place
from app.media.timings import Timings
from app.queries.encoding import Encoding, encode_many
from model.data.distance import distances
from model.data.latents import Latents
from model.errors import QueryError
from model.judging.windows import window_distances, window_probabilities
from model.media.medium import Limits
from model.network.encoder import Encoder


@dataclass(frozen=True)
class Window:
    """One candidate; None and 0 where it holds a second without a latent (silence, or no picture)."""

    start_s: int
    distance: float | None
    probability: float


@dataclass(frozen=True, eq=False)
class Found:
    """Hold the best window [start_s, end_s), all windows and D(query second, target second)."""

    start_s: int
    end_s: int
    windows: tuple[Window, ...]
    matrix: Float64[np.ndarray, "length seconds"]
    fingerprint: str
    timings_ms: dict[str, float]


def localize(session: Session, place: Place, limits: Limits) -> Found:
    """Find the window of the target modality that fits the query best, step after step in this thread.

    Raises:
        MediaError: a file cannot be used. QueryError: the query does not lie in the clip or is longer.
        LibraryError: no model, or one that does not match.
    """
    encoder, timings = session.encoder, Timings()
    decoded = session.decoder.submit(decode_place, place, limits).result()
    timings.stages_ms |= decoded.timings_ms
    with timings.stage("encode"):
        query, target = encode_many(encodings(encoder, decoded))
    return locate(encoder, place.video.name, decoded, query, target, timings)


def encodings(encoder: Encoder, decoded: Decoded) -> list[Encoding]:
    """Return what is to be encoded: the query's seconds, the target's."""
    assert decoded.target is not None
    return [Encoding(encoder, track.modality, track.rows) for track in (decoded.query, decoded.target)]


def locate(encoder: Encoder, name: str, decoded: Decoded, query: Latents, target: Latents, timings: Timings) -> Found:
    """Score every window of a clip of this name by the sum of its seconds' distances. Raises QueryError."""
    assert decoded.target is not None
    with timings.stage("search"):
        matrix = np.full((len(query), decoded.length_s), np.nan)
        matrix[:, decoded.target.start_s] = distances(query, target, encoder.checkpoint.weights).total
        offsets = decoded.query.start_s - decoded.query.start_s[0]
        windows = window_distances(matrix, offsets=offsets)
        probabilities = window_probabilities(windows, encoder.checkpoint.temperature)
    if np.isnan(windows).all():
        raise QueryError(
            f"every window of {offsets[-1] + 1} s in {name} has a second without "
            f"{decoded.target.modality}: ask with a shorter query"
        )
    best = int(np.nanargmin(windows))
    return Found(
        best,
        best + int(offsets[-1]) + 1,
        tuple(
            Window(start, None if np.isnan(d) else float(d), float(p))
            for start, (d, p) in enumerate(zip(windows, probabilities, strict=True))
        ),
        matrix,
        encoder.fingerprint,
        timings.report(),
    )
