"""A library takes a new model only if it is better on held-out videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from app.footage import all_features
from app.ingest import encoded
from app.session import Session
from model.encoder import Encoder
from model.errors import LibraryError
from model.latents import Latents
from model.msvae import Modality
from model.training import Trained
from model.validation import Validation, encode_pairs, mean_validation, validate


@dataclass(frozen=True)
class Adoption:
    """Say whether a new model was taken, and why: held-out MRR of the own video, and chance, of both models.

    `basis`: the serving model's figures are from the same held-out videos, or, where it was trained on some
    of them, from its own training's held-out videos; None where no model served.
    """

    adopted: bool
    new: Validation
    serving: Validation | None
    basis: Literal["same held-out videos", "its own held-out videos"] | None


def adopt(session: Session, trained: Trained, step: Callable[[], None] = lambda: None) -> Adoption:
    """Swap in a new model if its MRR is a larger multiple of chance than the serving model's.

    All latents are written anew beside the old ones and exchanged in one transaction. Raises LibraryBusy.
    """
    serving, basis = _serving(session, trained)
    new = trained.validation
    adopted = serving is None or new.mrr / new.chance > serving.mrr / serving.chance
    if adopted:
        encoder = Encoder(trained.checkpoint, session.device)
        with session.library.writer():
            encoder.checkpoint.save(session.library.checkpoints / encoder.fingerprint)
            session.library.catalogue.replace_latents(encoder.fingerprint, _batches(session, encoder, step))
    return Adoption(adopted, new, serving, basis)


def _serving(
    session: Session, trained: Trained
) -> tuple[Validation | None, Literal["same held-out videos", "its own held-out videos"] | None]:
    """Return the serving model's figures; None where none serves, or its checkpoint cannot be used."""
    try:
        encoder = session.encoder
    except LibraryError:
        return None, None
    checkpoint = encoder.checkpoint
    seen = set(checkpoint.training.get("trained_on", ()))
    if not seen.isdisjoint(v for part in trained.held_out for v in part.video_ids):
        return Validation(**checkpoint.training["validation"]), "its own held-out videos"
    found = [validate(encode_pairs(encoder, part), checkpoint.weights) for part in trained.held_out]
    return mean_validation(found), "same held-out videos"


def _batches(
    session: Session, encoder: Encoder, step: Callable[[], None]
) -> Iterator[tuple[str, Modality, Int64[np.ndarray, "n"], Latents]]:
    for video, features in all_features(session):
        for modality, (start_s, latents) in encoded(encoder, features).items():
            yield video.video_id, modality, start_s, latents
        step()
