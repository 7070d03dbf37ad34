"""What the study compares: the default recipe changed in one place, and other ways to judge the default's fit.

Variants of one recipe share one fit. `query_bank_*` follow Bogolin et al., "Cross modal retrieval with querybank
normalisation", CVPR 2022, with the difference of Conneau et al., "Word translation without parallel data", ICLR 2018:
an item that is near to every training query loses that lead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from model.baselines.blind import RandomRanking
from model.baselines.linear_cca import LinearCca
from model.baselines.system import System
from model.data.corpus import Corpus
from model.data.distance import distances
from model.data.draws import draw_seconds
from model.data.latents import Latents
from model.judging.localizers import Localizer, ScoreLocalizer
from model.judging.scorers import Items, LatentScorer, Matrix, Queries, Scorer
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.training.objective import Objective
from model.training.recipe import DEFAULT, Recipe
from model.training.validation import encode_pairs, weights_of

CPU = torch.device("cpu")
NEAREST_QUERIES = 10
RELEASED_KL = 0.01 * DEFAULT.latent  # the released weight of a sum over dimensions, as a weight of their mean


@dataclass(frozen=True, eq=False)
class Fit:
    """Hold a trained model, what it was trained on, and the corpus to judge."""

    checkpoint: Checkpoint
    train: Corpus
    val: Corpus
    judged: Corpus
    seed: int

    @cached_property
    def encoder(self) -> Encoder:
        """Return the model's encoder."""
        return Encoder(self.checkpoint, CPU)

    @cached_property
    def latents(self) -> dict[Modality, Latents]:
        """Return the latents of all seconds of the judged corpus."""
        return self._latents(self.judged, np.arange(len(self.judged.video)))

    @cached_property
    def lead(self) -> dict[tuple[Modality, Modality], Float64[np.ndarray, "n"]]:
        """Return, by (query, target), each judged second's mean distance to its nearest training queries.

        The bank holds one second of each training video, drawn by the seed.
        """
        paired = np.flatnonzero(self.train.paired)
        drawn = draw_seconds(self.train.video[paired], 1, np.random.default_rng(self.seed))[0]
        bank = self._latents(self.train, paired[drawn])
        return {
            (query, target): _mean_of_nearest(
                distances(self.latents[target], bank[query], self.checkpoint.weights).total, NEAREST_QUERIES
            )
            for query in MODALITIES
            for target in MODALITIES
        }

    def _latents(self, corpus: Corpus, rows: Int64[np.ndarray, "m"]) -> dict[Modality, Latents]:
        return {m: self.encoder.latents(m, getattr(corpus, m)[rows]) for m in MODALITIES}


Judges = tuple[Scorer | None, Localizer]


@dataclass(frozen=True)
class Variant:
    """Say what is changed: the recipe, or how its fit is judged."""

    about: str
    recipe: Recipe
    judge: Callable[[Fit], Judges]


def baselines() -> dict[str, System]:
    """Return the rows beside the variants."""
    return {"chance": RandomRanking(), "linear_cca": LinearCca()}


def variants() -> dict[str, Variant]:
    """Return the variants by name, the default first."""
    trained = {
        name: Variant(about, replace(recipe, name=name), as_trained)
        for name, (about, recipe) in (_teaching() | _survey() | _posterior() | _pairing() | _sizes()).items()
    }
    default = Variant("the default recipe; the share of the generated pair is chosen on val", DEFAULT, as_trained)
    judged = {name: Variant(about, DEFAULT, judge) for name, (about, judge) in _judgements().items()}
    return {"default": default, **trained, **judged}


def known() -> dict[str, str]:
    """Return all names, in the order of the table, and what they stand for."""
    rows = {"chance": "a random ranking", "linear_cca": "regularized linear CCA, cosine distance"}
    return rows | {name: variant.about for name, variant in variants().items()}


def _objective(**changes: object) -> Objective:
    return replace(DEFAULT.objective, **changes)  # type: ignore[arg-type]


def _changed(**changes: object) -> Recipe:
    """Return the default with another objective."""
    return replace(DEFAULT, objective=_objective(**changes))


def _teaching() -> dict[str, tuple[str, Recipe]]:
    """What draws the two modalities together: teacher, contrast, correlation, within the video."""
    untaught = replace(DEFAULT, groups=())
    in_video = replace(DEFAULT, whole_videos=True)
    return {
        "no_teacher": ("contrast in its place; seconds of one video are no negatives", untaught),
        "all_negatives": (
            "no teacher; contrast with seconds of one video among the negatives, of which a shuffled batch has few",
            replace(untaught, objective=_objective(negatives="all")),
        ),
        "no_teacher_whole_videos": (
            "as no_teacher; a step takes whole videos, so that there are many seconds of one video to leave out",
            replace(untaught, whole_videos=True),
        ),
        "all_negatives_whole_videos": (
            "the same with these among the negatives",
            replace(untaught, whole_videos=True, objective=_objective(negatives="all")),
        ),
        "contrast_of_groups": (
            "contrast (weight 1) beside the teacher; videos of one group are no negatives",
            _changed(contrast=1.0, negatives="other_groups"),
        ),
        "no_warm_start": (
            "encoders begin at random weights, so that there is no teacher: to be compared with no_teacher",
            replace(untaught, warm_start=False, held_epochs=0),
        ),
        "one_granularity": ("a teacher of 64 groups alone", replace(DEFAULT, groups=(64,))),
        "correlation_beside": ("correlation term, weight 4, beside the teacher", _changed(correlation=4.0)),
        "correlation_alone": (
            "correlation term, weight 4, in place of teacher and contrast",
            replace(untaught, objective=_objective(correlation=4.0, contrast=0.0)),
        ),
        "whole_videos": ("a step takes whole videos: the control of in_video", in_video),
        "in_video": (
            "contrast within the video, weight 1, beside the teacher",
            replace(in_video, objective=_objective(in_video=1.0)),
        ),
    }


def _survey() -> dict[str, tuple[str, Recipe]]:
    """A survey's objectives, with one margin and weight each, that were not tuned.

    Source: Vilaça, Yu and Viana, "Recent advances and challenges in deep audio-visual correlation learning", 2022.
    """

    def in_place_of_contrast(**changes: object) -> Recipe:
        return replace(DEFAULT, groups=(), objective=_objective(**changes))

    return {
        "centre": (
            "centre loss of the teacher's groups, weight 1, beside the teacher",
            _changed(centre=1.0),
        ),
        "hinge": (
            "no teacher; the sum of hinges of all negatives, margin .2, weight 1, in place of contrast",
            in_place_of_contrast(pair_loss="hinge", margin=0.2, contrast=1.0),
        ),
        "masked_margin": (
            "no teacher; contrast from whose own pair a margin of .1 is taken first",
            in_place_of_contrast(pair_loss="masked_margin", margin=0.1),
        ),
        "triplet": (
            "no teacher; the hinge of the hardest negative in the batch, margin .2, weight 10, in place of contrast",
            in_place_of_contrast(pair_loss="triplet", margin=0.2, contrast=10.0),
        ),
        "lifted": (
            "no teacher; lifted structure, margin 1, weight 1, in place of contrast",
            in_place_of_contrast(pair_loss="lifted_structure", margin=1.0, contrast=1.0),
        ),
        "n_pair": (
            "no teacher; N-pair loss, weight .5, in place of contrast",
            in_place_of_contrast(pair_loss="n_pair", contrast=0.5),
        ),
        "adversarial": (
            "a discriminator of the modalities with a reversed gradient, weight .1, beside the teacher",
            _changed(adversarial=0.1),
        ),
    }


def _posterior() -> dict[str, tuple[str, Recipe]]:
    """What KL does: to means on a sphere, which cannot collapse, and to free ones."""
    kl = {
        f"kl_{weight:g}": (f"KL weight {weight:g} (default {DEFAULT.objective.kl:g})", _changed(kl=weight))
        for weight in (0.0, 0.01, 0.1, 1.0)
    }
    free = replace(DEFAULT, spherical=False)
    strong = replace(free, objective=_objective(kl=RELEASED_KL))
    return {
        **kl,
        "free_means": ("means are not held on the sphere", free),
        "free_means_kl_0.1": ("the same, KL weight .1", replace(free, objective=_objective(kl=0.1))),
        "free_means_kl_released": (
            f"the same, KL summed over dimensions with weight .01 as released (.01 * latent = {RELEASED_KL:g})",
            strong,
        ),
        "free_bits": (
            "the same, .5 nats free in each dimension",
            replace(strong, objective=_objective(kl=RELEASED_KL, free_bits=0.5)),
        ),
        "kl_schedule": (
            f"as free_means_kl_released, but weight {DEFAULT.objective.kl:g} in the first 10 of 15 epochs",
            replace(strong, kl_warm_up=(10, DEFAULT.objective.kl)),
        ),
    }


def _pairing() -> dict[str, tuple[str, Recipe]]:
    """The paper's other terms: W and the generated pair."""
    return {
        "wasserstein_0": ("without W", _changed(wasserstein=0.0)),
        "wasserstein_3": ("W ten times as heavy", _changed(wasserstein=3.0)),
        "cross_generation_0": ("each modality generates itself alone", _changed(cross_generation=0.0)),
        "cross_generation_1": ("each modality generates the other alone", _changed(cross_generation=1.0)),
    }


def _sizes() -> dict[str, tuple[str, Recipe]]:
    return {
        "latent_32": ("half the latent dimensions", replace(DEFAULT, latent=32)),
        "latent_128": ("twice the latent dimensions", replace(DEFAULT, latent=128)),
        "no_dropout": ("no dropout", replace(DEFAULT, dropout=0.0)),
    }


def _judgements() -> dict[str, tuple[str, Callable[[Fit], Judges]]]:
    shares = {
        f"share_{share:g}": (f"the default's fit; the generated pair's share of the distance is {share:g}", share)
        for share in (0.0, 0.5, 1.0)
    }
    banks = {
        f"query_bank_{share:g}": (
            f"the default's fit; less {share:g} of the mean distance to the {NEAREST_QUERIES} nearest training queries",
            share,
        )
        for share in (0.2, 0.5)
    }
    return {
        **{name: (about, _with_share(share)) for name, (about, share) in shares.items()},
        **{name: (about, _with_query_bank(share)) for name, (about, share) in banks.items()},
        "relative_context": ("the default's fit; seconds less their clip's mean, for localization", in_context),
    }


def as_trained(fit: Fit) -> Judges:
    """Judge by the score with its chosen weights, windows by the sum of distances."""
    return _by(LatentScorer(fit.latents, fit.checkpoint.weights), fit)


def _with_share(share: float) -> Callable[[Fit], Judges]:
    def judge(fit: Fit) -> Judges:
        weights = weights_of(encode_pairs(fit.encoder, fit.val), share)
        return _by(LatentScorer(fit.latents, weights), fit)

    return judge


def _with_query_bank(share: float) -> Callable[[Fit], Judges]:
    def judge(fit: Fit) -> Judges:
        return _by(QueryBankScorer(LatentScorer(fit.latents, fit.checkpoint.weights), fit.lead, share), fit)

    return judge


def in_context(fit: Fit) -> Judges:
    """Judge windows alone, by means and generated pairs less those of their clip."""
    present = {"audio": fit.judged.heard, "visual": fit.judged.seen}
    relative = {m: relative_to_clip(fit.latents[m], fit.judged.video, present[m]) for m in MODALITIES}
    return None, ScoreLocalizer(LatentScorer(relative, fit.checkpoint.weights), fit.judged)


def _by(scorer: Scorer, fit: Fit) -> Judges:
    return scorer, ScoreLocalizer(scorer, fit.judged)


class QueryBankScorer(Scorer):
    """Subtract from each distance a share of the item's mean distance to its nearest training queries."""

    def __init__(
        self, scorer: Scorer, lead: dict[tuple[Modality, Modality], Float64[np.ndarray, "n"]], share: float
    ) -> None:
        self._scorer, self._lead, self._share = scorer, lead, share

    def score(self, query: Modality, queries: Queries, target: Modality, items: Items) -> Matrix:
        """Return distances that may be negative; small is close."""
        found = self._scorer.score(query, queries, target, items)
        return np.asarray(found - self._share * self._lead[query, target][items])


def relative_to_clip(latents: Latents, video: Int64[np.ndarray, "n"], present: Bool[np.ndarray, "n"]) -> Latents:
    """Return latents whose means and generated pairs are less their mean over the present seconds of their video."""
    count = np.maximum(np.bincount(video, present), 1)[:, None]

    def centred(values: np.ndarray) -> np.ndarray:
        total = np.zeros((len(count), values.shape[1]))
        np.add.at(total, video[present], values[present])
        return np.asarray(values - (total / count)[video], np.float32)

    return Latents(centred(latents.mu), latents.sigma, centred(latents.generated))


def _mean_of_nearest(found: Float64[np.ndarray, "items queries"], nearest: int) -> Float64[np.ndarray, "items"]:
    nearest = min(nearest, found.shape[1])
    return np.asarray(np.partition(found, nearest - 1, axis=1)[:, :nearest].mean(1))
