"""Judge a model without labels: does the sound of a second find a picture of its own video, and the reverse?

Epoch, score weights, temperature, and whether a new model replaces the old are chosen by this figure, on videos
held out from training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from model.data.corpus import Corpus
from model.data.distance import Distances, ScoreWeights, distances
from model.data.draws import draw_seconds
from model.data.latents import Latents
from model.errors import TrainingError
from model.judging.own_video import among_two
from model.judging.ranking import rank
from model.judging.scorers import LatentScorer
from model.judging.windows import FITTED_S, fit_temperature, window_distances
from model.modality import MODALITIES
from model.network.encoder import Encoder

GALLERIES = 20
MOST_SECONDS = 400
MOST_VIDEOS = 60
MOST_BY_VIDEO = 200
PAIR = 2
MINUTE_S = 60  # how much is localized in at most
LEAST_SHARE = 0.1  # of the generated part, unless that costs more than DEAR
DEAR = 0.01  # of held-out MRR: less is noise
SHARES = (0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)  # of the generated part in the distance


@dataclass(frozen=True)
class Validation:
    """Hold the held-out figures: MRR of the own video in galleries of one second per video, and its chance."""

    mrr: float
    chance: float
    videos: int


@dataclass(frozen=True, eq=False)
class PairedLatents:
    """Hold both modalities' latents of the same n seconds, and each second's video and time."""

    audio: Latents
    visual: Latents
    video: Int64[np.ndarray, "n"]
    start_s: Int64[np.ndarray, "n"]


def encode_pairs(encoder: Encoder, corpus: Corpus) -> PairedLatents:
    """Encode the seconds that have both modalities, at most 400, drawn at random."""
    seconds = np.flatnonzero(corpus.paired)
    if len(seconds) > MOST_SECONDS:
        seconds = np.sort(np.random.default_rng(0).choice(seconds, MOST_SECONDS, replace=False))
    return _encode(encoder, corpus, seconds)


def encode_videos(encoder: Encoder, corpus: Corpus) -> PairedLatents:
    """Encode all seconds that have both modalities, of at most 60 videos, drawn at random."""
    videos = np.unique(corpus.video[corpus.paired])
    chosen = np.random.default_rng(0).permutation(videos)[:MOST_VIDEOS]
    return _encode(encoder, corpus, np.flatnonzero(corpus.paired & np.isin(corpus.video, chosen)))


def _encode(encoder: Encoder, corpus: Corpus, seconds: Int64[np.ndarray, "n"]) -> PairedLatents:
    audio = encoder.of_corpus("audio", corpus, seconds)
    visual = encoder.of_corpus("visual", corpus, seconds)
    if not (audio.is_finite() and visual.is_finite()):
        raise TrainingError("training diverged: the network gives NaN or infinite numbers; lower the learning rate")
    return PairedLatents(audio, visual, corpus.video[seconds], corpus.start_s[seconds])


def validate(pairs: PairedLatents, weights: ScoreWeights, seed: int = 0) -> Validation:
    """Score held-out pairs under the given weights."""
    mrr, chance, videos = _mrr(distances(pairs.audio, pairs.visual, weights).total, pairs.video, seed)
    return Validation(mrr, chance, videos)


def by_video(encoder: Encoder, corpus: Corpus, weights: ScoreWeights) -> dict[str, float]:
    """Return by id how well each held-out video finds itself: its expected reciprocal rank beside one other.

    A mean over both directions, seconds and others; of at most 200 videos, the same each time. Empty for one video.
    """
    usable = np.unique(corpus.video[corpus.paired])
    if len(usable) < PAIR:
        return {}
    order = sorted(usable.tolist(), key=lambda row: hashlib.sha256(corpus.video_ids[row].encode()).digest())
    part = corpus.of_videos(np.sort(np.array(order[:MOST_BY_VIDEO], np.int64)))
    scorer = LatentScorer({m: encoder.of_corpus(m, part) for m in MODALITIES}, weights)
    seconds = np.flatnonzero(part.paired)
    return dict(zip(part.video_ids, among_two(scorer, seconds, part.video[seconds], GALLERIES).tolist(), strict=True))


def gallery_of(corpus: Corpus) -> tuple[float, int]:
    """Return the chance MRR and the size of a corpus's galleries of one second per video."""
    videos = len(np.unique(corpus.video[corpus.paired]))
    return float(np.mean(1 / np.arange(1, videos + 1))), videos


def mean_validation(found: list[Validation]) -> Validation:
    """Return the mean over folds; `videos` is the mean size of a gallery, rounded."""
    mrr, chance, videos = np.mean([(v.mrr, v.chance, v.videos) for v in found], axis=0)
    return Validation(float(mrr), float(chance), round(float(videos)))


def validate_shares(pairs: PairedLatents) -> list[Validation]:
    """Score held-out pairs under each of `SHARES`."""
    parts = distances(pairs.audio, pairs.visual, ScoreWeights())
    weights = [_weights(parts, share) for share in SHARES]
    totals = [w.latent * parts.latent + w.generated * parts.generated for w in weights]
    return [Validation(*_mrr(total, pairs.video)) for total in totals]


def is_better(mrr: float, start: float) -> bool:
    """Say whether a held-out MRR is clearly above that of a start: training must earn what it changes."""
    return mrr - start > DEAR


def best_share(mrr: Sequence[float]) -> int:
    """Return which of `SHARES` to take by held-out MRR: both parts count for a tenth, unless that costs over .01."""
    best = int(np.argmax(mrr))
    if SHARES[best] >= LEAST_SHARE:
        return best
    least = SHARES.index(LEAST_SHARE)
    fair = least + int(np.argmax(mrr[least:]))
    return best if mrr[best] - mrr[fair] > DEAR else fair


def taken(mrr: Sequence[float]) -> float:
    """Return the figure of the share that is taken, NaN without figures."""
    return mrr[best_share(mrr)] if mrr else float("nan")


def weights_of(pairs: PairedLatents, share: float) -> ScoreWeights:
    """Return w and g such that the weighted parts' medians over these pairs are as (1 - share) to share."""
    return _weights(distances(pairs.audio, pairs.visual, ScoreWeights()), share)


def mean_weights(weights: Sequence[ScoreWeights]) -> ScoreWeights:
    """Return the mean of several weights."""
    return ScoreWeights(float(np.mean([w.latent for w in weights])), float(np.mean([w.generated for w in weights])))


def choose_temperature(pairs: PairedLatents, weights: ScoreWeights) -> float:
    """Fit the temperature of localization: three seconds should find their own three seconds, both ways, in a minute.

    The minutes are made of videos of six seconds or more without a gap, since one scene alone would hardly tell how far
    other scenes lie; the temperature is 1 where there is no such video.
    """
    windows, truth = [], []
    for minute in _minutes(pairs):
        total = distances(pairs.audio[minute], pairs.visual[minute], weights).total
        begins = np.flatnonzero(pairs.video[minute][: 1 - FITTED_S] == pairs.video[minute][FITTED_S - 1 :])
        for matrix in (total, total.T):
            windows += [window_distances(matrix[start : start + FITTED_S]) for start in begins]
            truth += begins.tolist()
    return fit_temperature(windows, truth) if windows else 1.0


def _minutes(pairs: PairedLatents) -> list[Int64[np.ndarray, "m"]]:
    """Return rows of at most a minute each: videos in random order, one after the other, long ones in pieces."""
    rows = (np.flatnonzero(pairs.video == video) for video in np.unique(pairs.video))
    whole = [r for r in rows if len(r) >= 2 * FITTED_S and np.all(np.diff(pairs.start_s[r]) == 1)]
    pieces = [r[at : at + MINUTE_S] for r in whole for at in range(0, len(r), MINUTE_S)]
    minutes = list[Int64[np.ndarray, "m"]]()
    for index in np.random.default_rng(0).permutation(len(pieces)):
        if minutes and len(minutes[-1]) + len(pieces[index]) <= MINUTE_S:
            minutes[-1] = np.concatenate([minutes[-1], pieces[index]])
        else:
            minutes.append(pieces[index])
    return minutes


def _weights(parts: Distances, share: float) -> ScoreWeights:
    latent, generated = (max(float(np.median(part)), 1e-12) for part in (parts.latent, parts.generated))
    return ScoreWeights((1 - share) / latent, share / generated)


def own_video_mrr(total: Float64[np.ndarray, "n n"], video: Int64[np.ndarray, "n"]) -> float:
    """Return the label-free figure of distances D(sound i, picture j) of n seconds, sorted by video."""
    return _mrr(total, video)[0]


def _mrr(total: Float64[np.ndarray, "n n"], video: Int64[np.ndarray, "n"], seed: int = 0) -> tuple[float, float, int]:
    """Return the MRR of the own video over both directions and all galleries, its chance, the gallery's size."""
    rng = np.random.default_rng(seed)
    galleries = draw_seconds(video, GALLERIES, rng)
    own = np.eye(galleries.shape[1], dtype=bool)
    figures = [
        rank(matrix[np.ix_(rows, rows)], own, rng).reciprocal_rank.mean()
        for rows in galleries
        for matrix in (total, total.T)
    ]
    videos = galleries.shape[1]
    return float(np.mean(figures)), float(np.mean(1 / np.arange(1, videos + 1))), videos
