"""A library takes a new model only if it is better on held-out videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.reencoding import swap_in
from app.session import Session
from index.disk import writing
from model.encoder import Encoder
from model.errors import LibraryError
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

    All latents are written anew beside the old ones and exchanged in one transaction. Raises LibraryBusy, or
    LibraryError where that cannot be written; the checkpoint stays, for `echolens library reencode`.
    """
    serving, basis = _serving(session, trained)
    new = trained.validation
    adopted = serving is None or new.mrr / new.chance > serving.mrr / serving.chance
    if adopted:
        encoder = Encoder(trained.checkpoint, session.device)
        place = session.library.checkpoints / encoder.fingerprint
        with session.library.writer():
            with writing(place):
                encoder.checkpoint.save(place)
            swap_in(session, encoder, leave_out=True, step=step)
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
