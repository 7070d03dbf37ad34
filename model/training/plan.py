"""Train an MS-VAE on pairs of one second, without labels; epoch and score weights are chosen on held-out videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.data.corpus import Corpus, fold
from model.data.latents import Latents
from model.network.checkpoint import Checkpoint
from model.training.recipe import Recipe
from model.training.run import Epoch, Run
from model.training.validation import (
    SHARES,
    PairedLatents,
    Validation,
    choose_temperature,
    encode_videos,
    gallery_of,
    mean_validation,
    validate_shares,
    weights_of,
)

ACTIVE_VARIANCE = 0.01  # a latent unit is active if its mean varies more than this over the data
FEWEST_ACTIVE_SHARE = 0.1
FOLDS = 5
ENOUGH_VIDEOS = 200  # from here on one fold is reliable enough, and a second training would cost too much


@dataclass(frozen=True)
class Trained:
    """Hold the checkpoint, its held-out figures, the epochs, and warnings."""

    checkpoint: Checkpoint
    validation: Validation
    held_out: tuple[Corpus, ...]
    epochs: tuple[Epoch, ...]
    warnings: tuple[str, ...]


def train(
    corpus: Corpus,
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    device: torch.device,
    validation: Corpus | None = None,
    state_path: Path | None = None,
    progress: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train a model for a front-end, given by its name and identity.

    `validation` is held out; without it, a fifth of the videos. With fewer than 200 videos each fifth is held out in
    turn, and a last run trains on all videos, with the epoch and the score weights that were best on average.
    With `state_path` every epoch is saved, and a training that was stopped continues there.

    Raises:
        TrainingError: too few videos with both modalities, or a saved state of another run.
    """
    if validation is not None:
        splits = [(corpus, validation)]
    else:
        splits = fold(corpus, FOLDS, seed)
        usable = len(np.unique(corpus.video[corpus.paired]))
        splits = splits[:1] if usable >= ENOUGH_VIDEOS else splits
    count = 1 if len(splits) == 1 else len(splits) + 1
    runs = [Run(rest, part, recipe, front_end, seed, device, (i, count)) for i, (rest, part) in enumerate(splits)]
    for i, run in enumerate(runs):
        path = state_path and state_path.with_name(f"{state_path.name}.{i}")
        run.train(recipe.epochs, recipe.patience if len(runs) == 1 else None, path, progress)
    if len(runs) == 1:
        return _finish_single(runs[0])
    return _finish_folds(runs, corpus, progress)


def _finish_single(run: Run) -> Trained:
    run.take_best()
    assert run.held_out is not None, "a single run has held-out videos"
    pairs = run.encoded(run.held_out)
    found = validate_shares(pairs)
    share = int(np.argmax([v.mrr for v in found]))
    whole = encode_videos(run.encoder(), run.held_out)
    return _trained(run, pairs, whole, SHARES[share], found[share], (run.held_out,), run.epochs, run.best_epoch)


def _finish_folds(runs: list[Run], corpus: Corpus, progress: Callable[[Epoch], None]) -> Trained:
    """Train once more on all videos, for the epochs and with the share that are best over the folds."""
    first = runs[0]
    figures = np.mean([[e.mrr for e in run.epochs] for run in runs], axis=0)
    number, share = (int(i) for i in np.unravel_index(np.argmax(figures), figures.shape))
    parts = [part for run in runs if (part := run.held_out)]
    sizes = [Validation(0.0, *gallery_of(part)) for part in parts]
    found = replace(mean_validation(sizes), mrr=float(figures[number, share]))
    last = (len(runs), len(runs) + 1)
    final = Run(corpus, None, first.recipe, first.front_end, first.seed, first.device, last)
    final.train(number + 1, None, None, progress)
    first.take_best()
    whole = encode_videos(first.encoder(), parts[0])
    return _trained(final, final.encoded(corpus), whole, SHARES[share], found, tuple(parts), _mean_epochs(runs), number)


def _mean_epochs(runs: list[Run]) -> list[Epoch]:
    """Return the mean terms and figures of each epoch over the folds: by these the epoch was chosen."""
    return [
        replace(
            epochs[0],
            terms={name: float(np.mean([e.terms[name] for e in epochs])) for name in epochs[0].terms},
            mrr=tuple(np.mean([e.mrr for e in epochs], axis=0).tolist()),
        )
        for epochs in zip(*(run.epochs for run in runs), strict=True)
    ]


def _trained(
    run: Run,
    pairs: PairedLatents,
    whole: PairedLatents,
    share: float,
    validation: Validation,
    parts: tuple[Corpus, ...],
    epochs: list[Epoch],
    kept: int,
) -> Trained:
    """Build the result; `pairs` set the scale of the score weights, the held-out videos `whole` the temperature."""
    weights = weights_of(pairs, share)
    posterior, warnings = _posterior(run, pairs)
    report: dict[str, Any] = {
        "seed": run.seed,
        "recipe": asdict(run.recipe),
        "videos": len(run.corpus),
        "pairs": len(run.pairs),
        "epochs": len(run.epochs),
        "history": [_history(epoch) for epoch in epochs],
        "kept_epoch": kept,
        "generated_share": share,
        "validation": asdict(validation),
        "posterior": posterior,
        "trained_on": list(run.corpus.video_ids),
    }
    checkpoint = replace(
        run.checkpoint(),
        model=run.model.eval().cpu(),
        normalization=run.normalization.cpu(),
        weights=weights,
        temperature=choose_temperature(whole, weights),
        training=report,
    )
    return Trained(checkpoint, validation, parts, tuple(epochs), warnings)


def _history(epoch: Epoch) -> dict[str, Any]:
    """Return an epoch's mean terms and its best held-out MRR, to five digits."""
    terms = {name: _five_digits(value) for name, value in epoch.terms.items()}
    return {"terms": terms, "mrr": _five_digits(epoch.best_mrr)}


def _five_digits(value: float) -> float:
    return float(f"{value:.5g}")


def posterior_facts(latents: Latents) -> dict[str, Any]:
    """Return how many latent units are active, of how many, and the mean KL to the prior in nats."""
    mu, variance = latents.mu.astype(np.float64), latents.sigma.astype(np.float64) ** 2
    return {
        "active_units": int((latents.mu.var(axis=0) > ACTIVE_VARIANCE).sum()),
        "of": mu.shape[1],
        "kl_nats": float(0.5 * (mu**2 + variance - 1 - np.log(variance)).sum(1).mean()),
    }


def _posterior(run: Run, pairs: PairedLatents) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return active units and KL per modality, and warnings of collapse."""
    facts: dict[str, Any] = {}
    warnings = []
    for modality, latents in (("audio", pairs.audio), ("visual", pairs.visual)):
        facts[modality] = found = posterior_facts(latents)
        active, kl = found["active_units"], found["kl_nats"]
        if active < FEWEST_ACTIVE_SHARE * run.recipe.latent:
            warnings.append(
                f"posterior collapse: {active} of {run.recipe.latent} latent units of the {modality} encoder "
                f"are active (KL {kl:.3f} nats); lower the KL weight"
            )
    return facts, tuple(warnings)
