"""Adopt a new model for a library only if it is better on held-out videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from app.library.model_swap import checked_front_end, swap_in
from app.library.session import Session
from index.disk import writing
from model.errors import LibraryError
from model.judging.own_video import chance_of
from model.training.plan import Trained
from model.training.validation import PAIR, Validation, by_video

NOISE = 0.002  # of the reciprocal rank beside one other: less is no reason for another model
ENOUGH = 0.5  # of the new model's held-out videos must have a held-out figure of the serving model


@dataclass(frozen=True)
class Adoption:
    """Say whether a new model was taken, and why: held-out MRR of the own video, and chance, of both models.

    `basis`: both models' figures are of the same held-out videos, or, where the two have hardly any in common, each has
    those of its own training; None where no model served.
    """

    adopted: bool
    new: Validation
    serving: Validation | None
    basis: Literal["same held-out videos", "its own held-out videos"] | None


def report_of(trained: Trained) -> dict[str, Any]:
    """Return the figures of a training that are reported."""
    training = trained.checkpoint.training
    told = {name: training[name] for name in ("videos", "pairs", "epochs", "validation", "posterior")}
    return {"fingerprint": trained.checkpoint.fingerprint} | told


def adopt(
    session: Session, trained: Trained, step: Callable[[], None] = lambda: None, verdict_path: Path | None = None
) -> Adoption:
    """Swap in a new model if it is better than the serving one on the same held-out videos.

    Where they have hardly any in common, its MRR must be a larger multiple of chance.

    All latents are written beside the old ones and replace them in one transaction. With `verdict_path` the decision is
    saved there: if the process is killed after the swap, calling this again returns what was decided.
    LibraryBusy, or LibraryError if the disk refuses; the checkpoint stays, for `echolens library reencode`. Mismatch
    where the library's front-end was changed while the model was trained.
    """
    with session.library.writer():
        kept = _kept_verdict(session, trained, verdict_path)
        if kept is not None:
            return kept
        checked_front_end(trained.checkpoint, session.front_end)
        adoption = _judge(session, trained)
        if adoption.adopted:
            encoder = session.encoder_of(trained.checkpoint)
            path = session.library.checkpoints / encoder.fingerprint
            with writing(path):
                encoder.checkpoint.save(path)
                if verdict_path is not None:
                    verdict_path.write_text(json.dumps(asdict(adoption)))
            swap_in(session, session.front_end, encoder, leave_out=True, step=step)
    return adoption


def _kept_verdict(session: Session, trained: Trained, path: Path | None) -> Adoption | None:
    """Return the saved decision if this model was swapped in by it."""
    if path is None or session.library.catalogue.fingerprint != trained.checkpoint.fingerprint:
        return None
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):  # nothing was saved: the model serves for another reason
        return None
    kept |= {name: None if kept[name] is None else Validation(**kept[name]) for name in ("new", "serving")}
    return Adoption(**kept)


def _judge(session: Session, trained: Trained) -> Adoption:
    new, serving, basis = _compared(session, trained)
    if serving is None:
        return Adoption(True, new, None, basis)
    if basis == "same held-out videos":
        return Adoption(new.mrr > serving.mrr + NOISE, new, serving, basis)
    return Adoption(new.mrr / new.chance > serving.mrr / serving.chance, new, serving, basis)


def _compared(
    session: Session, trained: Trained
) -> tuple[Validation, Validation | None, Literal["same held-out videos", "its own held-out videos"] | None]:
    """Return both models' figures, of the same held-out videos where there are enough of them.

    Those are the videos that the serving model never saw, and those for which its own training kept a held-out figure.
    """
    try:
        encoder = session.encoder
    except LibraryError:  # none serves, or its checkpoint cannot be used
        return trained.validation, None, None
    training, weights = encoder.checkpoint.training, encoder.checkpoint.weights
    seen, figures = set(training.get("trained_on", ())), dict[str, float](training.get("by_video", {}))
    for part in trained.held_out:
        unseen = part.of_videos(np.flatnonzero([v not in seen for v in part.video_ids]))
        figures |= by_video(encoder, unseen, weights)
    common = sorted(figures.keys() & trained.by_video)
    if len(common) < ENOUGH * len(trained.by_video) and "validation" in training:
        return trained.validation, Validation(**training["validation"]), "its own held-out videos"
    if not common:
        return trained.validation, None, None
    new, serving = (
        Validation(float(np.mean([found[v] for v in common])), chance_of(PAIR), PAIR)
        for found in (trained.by_video, figures)
    )
    return new, serving, "same held-out videos"
