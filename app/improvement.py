"""A library takes a new model only if it is better on held-out videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from app.footage import all_videos, features_of
from app.ingest import encoded
from app.session import Session
from model.checkpoint import Checkpoint
from model.corpus import Corpus
from model.encoder import Encoder
from model.errors import LibraryError
from model.latents import Latents
from model.msvae import Modality
from model.training import held_out_videos
from model.validation import encode_pairs, validate


@dataclass(frozen=True)
class Adoption:
    """Hold both models' held-out MRR of the own video; `serving_mrr` is None where no model served."""

    adopted: bool
    new_mrr: float
    serving_mrr: float | None
    chance: float


def adopt(
    session: Session,
    corpus: Corpus,
    checkpoint: Checkpoint,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Adoption:
    """Compare a new model with the serving one on the videos that training held out; swap in the better.

    All latents are written anew beside the old ones and exchanged in one transaction.
    Raises LibraryBusy.
    """
    held_out = held_out_videos(corpus, seed)
    encoder = Encoder(checkpoint, session.device)
    new = validate(encode_pairs(encoder, held_out), checkpoint.weights)
    serving = _serving_mrr(session, held_out)
    adopted = serving is None or new.mrr > serving
    if adopted:
        with session.library.writer():
            checkpoint.save(session.library.checkpoints / encoder.fingerprint)
            session.library.catalogue.replace_latents(encoder.fingerprint, _batches(session, encoder, step))
    return Adoption(adopted, new.mrr, serving, new.chance)


def _serving_mrr(session: Session, held_out: Corpus) -> float | None:
    """Return the serving model's figure; None where none serves, or its checkpoint cannot be used."""
    try:
        serving = session.encoder
    except LibraryError:
        return None
    return validate(encode_pairs(serving, held_out), serving.checkpoint.weights).mrr


def _batches(
    session: Session, encoder: Encoder, step: Callable[[], None]
) -> Iterator[tuple[str, Modality, Int64[np.ndarray, "n"], Latents]]:
    for video in all_videos(session):
        for modality, (start_s, latents) in encoded(encoder, features_of(session, video)).items():
            yield video.video_id, modality, start_s, latents
        step()
