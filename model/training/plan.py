"""Train an MS-VAE on pairs of one second, without labels; epoch and score weights are chosen on held-out videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.data.corpus import Corpus, fold
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.frontends.prior import Prior
from model.network.checkpoint import Checkpoint
from model.network.device import name_of
from model.network.encoder import Encoder
from model.network.match import Match
from model.training.attempts import Attempt, first_that_fits
from model.training.choice import Choice, choose
from model.training.enough_footage import too_few
from model.training.group import of_first
from model.training.match_fit import fit_match
from model.training.recipe import Recipe
from model.training.run import Epoch, Run
from model.training.start import Start
from model.training.teacher import VIDEOS_PER_GROUP
from model.training.validation import (
    SHARES,
    PairedLatents,
    Validation,
    best_share,
    by_video,
    choose_temperature,
    encode_videos,
    gallery_of,
    is_better,
    mean_validation,
    mean_weights,
    taken,
    validate_shares,
    weights_of,
)
from model.training.word_match import with_words

ACTIVE_VARIANCE = 0.01  # a latent unit is active if its mean varies more than this over the data
FEWEST_ACTIVE_SHARE = 0.1
FOLDS = 5
ROUNDS = 3  # of folds in which the start is chosen; the runs have those of the first
ENOUGH_VIDEOS = 200  # from here on one fold is reliable enough, and a second training would cost too much


@dataclass(frozen=True)
class Trained:
    """Hold the checkpoint, its held-out figures, the epochs, and warnings.

    `by_video`: each held-out video's own reciprocal rank, by a model that was not trained on it.
    """

    checkpoint: Checkpoint
    validation: Validation
    by_video: dict[str, float]
    held_out: tuple[Corpus, ...]
    epochs: tuple[Epoch, ...]
    warnings: tuple[str, ...]

    def noting(self, notes: tuple[str, ...]) -> Trained:
        """Add notes to the warnings and to the checkpoint's report."""
        if not notes:
            return self
        report = self.checkpoint.training | {"notes": list(notes)}
        return replace(self, checkpoint=replace(self.checkpoint, training=report), warnings=(*self.warnings, *notes))


def train(
    corpus: Corpus,
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    device: torch.device,
    validation: Corpus | None = None,
    state_path: Path | None = None,
    progress: Callable[[Epoch], None] = lambda _: None,
    prior: Prior | None = None,
    warned: Callable[[str], None] = lambda _: None,
    retried: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a model for a front-end, given by its name and identity, and its prior, if it has one.

    `validation` is held out; without it, a fifth of the videos. With fewer than 200 videos each fifth is held out in
    turn, and a last run trains on all videos, with the epoch and the score weights that were best on average.
    With `state_path` every epoch is saved, and a training that was stopped continues there.
    `warned` is told once, before the first epoch, what to expect of too few videos.
    Where a GPU's memory is too short, `retried` is told so, and it is trained anew with half the batch, at last on the
    CPU; warnings and the checkpoint's report then say so.

    Raises:
        TrainingError: too few videos with both modalities, or a saved state of another run.
        DeviceError: the GPU failed, and this process can do nothing more with it.
    """

    def attempt(at: Attempt) -> Trained:
        path = state_path and state_path.with_name(state_path.name + at.state_suffix)
        return _train(corpus, splits, at.recipe, front_end, seed, at.device, path, progress, prior).noting(at.notes)

    splits = [(corpus, validation)] if validation is not None else _folds(corpus, seed)
    if few := few_videos(corpus, validation, prior):
        warned(few)
    return first_that_fits(attempt, recipe, device, retried)


def few_videos(corpus: Corpus, validation: Corpus | None, prior: Prior | None) -> str | None:
    """Return what to expect of a training on too few videos; None if there are enough."""
    videos = _usable(corpus) + (0 if validation is None else _usable(validation))
    return too_few(videos, prior is not None)


def _folds(corpus: Corpus, seed: int) -> list[tuple[Corpus, Corpus]]:
    """Return what is trained on and what is held out: each fifth in turn, or one of many videos."""
    splits = fold(corpus, FOLDS, seed)
    return splits[:1] if _usable(corpus) >= ENOUGH_VIDEOS else splits


def _train(
    corpus: Corpus,
    splits: list[tuple[Corpus, Corpus]],
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    device: torch.device,
    state_path: Path | None,
    progress: Callable[[Epoch], None],
    prior: Prior | None,
) -> Trained:
    count = 1 if len(splits) == 1 else len(splits) + 1
    fewest = min(len(rest) for rest, _ in splits)  # all runs have the same teacher, or none
    taught = fewest >= recipe.taught_videos
    recipe = replace(recipe, groups=tuple(k for k in recipe.groups if taught and k * VIDEOS_PER_GROUP <= fewest))
    starts: list[Start | None] = [None] * len(splits)
    choice = Choice()
    if prior is not None and recipe.warm_start:
        starts = [Start.of(prior, rest) for rest, _ in splits]
        more = [] if len(splits) == 1 else [s for r in range(1, ROUNDS) for s in fold(corpus, FOLDS, seed + r)]
        begun = [*starts, *(Start.of(prior, rest) for rest, _ in more)]
        choice = of_first(choose([*splits, *more], [start for start in begun if start], recipe, seed))
    runs = [
        Run(rest, part, recipe, front_end, seed, device, (i, count), choice.of(start), choice.context)
        for i, ((rest, part), start) in enumerate(zip(splits, starts, strict=True))
    ]
    for i, run in enumerate(runs):
        run.train(recipe.epochs, recipe.patience if len(runs) == 1 else None, _state_of(state_path, i), progress)
    if len(runs) == 1:
        return _finish_single(runs[0], prior, choice)
    return _finish_folds(runs, corpus, prior, choice, _state_of(state_path, len(runs)), progress)


def _usable(corpus: Corpus) -> int:
    """Return how many videos have a second with both sound and picture."""
    return len(np.unique(corpus.video[corpus.paired]))


def _state_of(path: Path | None, run: int) -> Path | None:
    """Return where a run keeps its state."""
    return path and path.with_name(f"{path.name}.{run}")


@dataclass(frozen=True, eq=False)
class Judged:
    """Hold what held-out videos say of a training, and what was chosen by them; `share` is of the generated part."""

    epochs: list[Epoch]
    kept_epoch: int
    share: float
    validation: Validation
    parts: tuple[Corpus, ...]
    weights: ScoreWeights
    temperature: float
    match: Match | None
    by_video: dict[str, float]

    @staticmethod
    def of(runs: list[Run], epochs: list[Epoch], kept_epoch: int, share: float, validation: Validation) -> Judged:
        """Let each run, with the weights that it now has, judge the videos that were held out from it."""
        parts = [part for run in runs if (part := run.held_out)]
        pairs = [run.encoded(part) for run, part in zip(runs, parts, strict=True)]
        weights = mean_weights([weights_of(each, share) for each in pairs])
        temperature = choose_temperature(encode_videos(runs[0].sharp(), parts[0]), weights)
        match = fit_match([(each, weights) for each in pairs], runs[0].context.width_s)
        figures: dict[str, float] = {}
        for run, part in zip(runs, parts, strict=True):
            figures |= by_video(run.encoder(), part, weights)
        return Judged(epochs, kept_epoch, share, validation, tuple(parts), weights, temperature, match, figures)


def _finish_single(run: Run, prior: Prior | None, choice: Choice) -> Trained:
    assert run.held_out is not None, "a single run has held-out videos"
    number = run.best_epoch
    run.take_best()
    if run.before and not is_better(run.epochs[number].best_mrr, taken(run.before)):  # a teacher keeps its last epoch
        number = -1
        run.take_untrained()
    pairs = run.encoded(run.held_out)
    found = validate_shares(pairs)
    share = best_share([v.mrr for v in found])
    return _trained(run, pairs, prior, choice, Judged.of([run], run.epochs, number, SHARES[share], found[share]))


def _finish_folds(
    runs: list[Run],
    corpus: Corpus,
    prior: Prior | None,
    choice: Choice,
    state_path: Path | None,
    progress: Callable[[Epoch], None],
) -> Trained:
    """Train once more on all videos, for the epochs and with the share that are best over the folds."""
    first = runs[0]
    begun = 1 if first.before else 0  # the first row is then of the start
    figures = np.mean([_figures(run) for run in runs], axis=0)
    shares = [best_share(list(row)) for row in figures]
    best = [float(mrr[share]) for mrr, share in zip(figures, shares, strict=True)]
    row = int(np.argmax(best))
    if begun and not is_better(best[row], best[0]):
        row = 0
    sizes = [Validation(0.0, *gallery_of(part)) for run in runs if (part := run.held_out)]
    found = replace(mean_validation(sizes), mrr=best[row])
    start = Start.of(prior, corpus) if prior is not None and begun else None
    final = Run(
        corpus,
        None,
        first.recipe,
        first.front_end,
        first.seed,
        first.device,
        (len(runs), len(runs) + 1),
        choice.of(start),
        choice.context,
    )
    number = row - begun
    final.train(number + 1, None, state_path, progress)
    for run in runs:
        run.take_untrained() if number < 0 else run.take_best()
    judged = Judged.of(runs, _mean_epochs(runs), number, SHARES[shares[row]], found)
    return _trained(final, final.encoded(corpus), prior, choice, judged)


def _figures(run: Run) -> list[tuple[float, ...]]:
    """Return a run's held-out figures, a row per epoch, behind that of its start at a prior, if it has one."""
    return [*([run.before] if run.before else []), *(epoch.mrr for epoch in run.epochs)]


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


def _trained(run: Run, pairs: PairedLatents, prior: Prior | None, choice: Choice, judged: Judged) -> Trained:
    """Build the result; the posteriors of `pairs` are reported."""
    posterior, warnings = _posterior(run, pairs)
    encoder = Encoder(replace(run.checkpoint(), weights=judged.weights), run.device)
    match = judged.match
    if match is not None and prior is not None:
        match = with_words(match, encoder, run.corpus, prior)
    report: dict[str, Any] = {
        "seed": run.seed,
        "recipe": asdict(run.recipe),
        "videos": len(run.corpus),
        "pairs": len(run.pairs),
        "epochs": len(run.epochs),
        "history": [_history(epoch) for epoch in judged.epochs],
        "kept_epoch": judged.kept_epoch,
        "generated_share": judged.share,
        "footage_share": choice.share,
        "validation": asdict(judged.validation),
        "posterior": posterior,
        "trained_on": list(run.corpus.video_ids),
        "by_video": {video_id: _five_digits(mrr) for video_id, mrr in judged.by_video.items()},
    }
    if run.device.type == "cuda":  # the same seed gives the same bytes on the same card alone
        report["device"] = name_of(run.device)
    checkpoint = replace(
        run.checkpoint(),
        model=run.model.eval().cpu(),
        normalization=run.normalization.cpu(),
        weights=judged.weights,
        temperature=judged.temperature,
        training=report,
        match=match,
    )
    return Trained(checkpoint, judged.validation, judged.by_video, judged.parts, tuple(judged.epochs), warnings)


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
        if active < FEWEST_ACTIVE_SHARE * found["of"]:
            warnings.append(
                f"posterior collapse: {active} of {found['of']} latent units of the {modality} encoder "
                f"are active (KL {kl:.3f} nats); lower the KL weight"
            )
    return facts, tuple(warnings)
