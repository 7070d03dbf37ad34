"""The label-free systems of the comparison: they learn, they repeat, they look at no label."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log1p

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus

from model.baselines.ave_net import AveNet
from model.baselines.cm_vae import CmVae, SeparateDecoders
from model.baselines.dcca import Dcca, total_correlation
from model.baselines.fitting import Schedule
from model.baselines.l3_net import FusedTowers, L3Net
from model.baselines.linear_cca import LinearCca
from model.baselines.system import System
from model.baselines.towers import correspondence, figure_on
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.evaluation import DIRECTIONS
from model.judging.ranking import rank
from model.judging.scorers import EmbeddingScorer, RandomScorer
from model.network.msvae import Architecture

CPU = torch.device("cpu")
SHORT = Schedule(epochs=12, batch=32)
SYSTEMS: dict[str, System] = {
    system.name: system
    for system in (LinearCca(), CmVae(SHORT), L3Net(SHORT), AveNet(SHORT), Dcca(replace(SHORT, batch=180)))
}
NEW_VIDEOS = 20

every_system = pytest.mark.parametrize("name", SYSTEMS)


def train_corpus() -> Corpus:
    return planted_corpus(videos=60)


def val_corpus() -> Corpus:
    return planted_corpus(videos=15, seed=1)


def new_corpus() -> Corpus:
    return planted_corpus(videos=NEW_VIDEOS, seconds=1, seed=2)


def scores(system: System, train: Corpus, val: Corpus, new: Corpus, seed: int = 0) -> dict[str, np.ndarray]:
    """Return what the fitted system says of every two seconds of `new`."""
    fitted = system.fit(train, val, seed, CPU)
    assert fitted.scorer is not None
    scorer, rows = fitted.scorer(new), np.arange(len(new.video))
    return {name: scorer.score(query, rows, target, rows) for name, (query, target) in DIRECTIONS.items()}


@cache
def plain_scores(name: str) -> dict[str, np.ndarray]:
    return scores(SYSTEMS[name], train_corpus(), val_corpus(), new_corpus())


def own_mrr(found: dict[str, np.ndarray]) -> list[float]:
    """Return the MRR of the own video, from sound to picture and back."""
    own, rng = np.eye(NEW_VIDEOS, dtype=bool), np.random.default_rng(0)
    return [float(rank(found[direction], own, rng).reciprocal_rank.mean()) for direction in ("AV", "VA")]


def scrambled(corpus: Corpus, seed: int) -> Corpus:
    """Return the corpus with labels and events drawn at random."""
    rng = np.random.default_rng(seed)
    return replace(
        corpus,
        label=rng.integers(0, 5, len(corpus)),
        event=rng.random(len(corpus.video)) < 0.5,
        classes=tuple("abcde"),
    )


@every_system
def test_it_learns_a_planted_correlation(name: str) -> None:
    """In twenty new videos a sound finds its own picture, and back, at an MRR above .8, where chance is .18."""
    assert min(own_mrr(plain_scores(name))) > 0.8


@every_system
def test_broken_pairs_teach_nothing(name: str) -> None:
    """Trained on pictures of other seconds the same systems stay near chance: it is the pairs that teach."""
    train = train_corpus()
    shuffled = replace(train, visual=np.random.default_rng(3).permutation(train.visual))
    assert max(own_mrr(scores(SYSTEMS[name], shuffled, val_corpus(), new_corpus()))) < 0.4


@every_system
def test_the_same_seed_gives_the_same_system(name: str) -> None:
    """A second fit scores to the bit as the first did."""
    again = scores(SYSTEMS[name], train_corpus(), val_corpus(), new_corpus())
    for direction, expected in plain_scores(name).items():
        np.testing.assert_array_equal(again[direction], expected)


@every_system
def test_another_seed_gives_another_system(name: str) -> None:
    """Only linear CCA, which draws nothing, is the same for every seed."""
    other = scores(SYSTEMS[name], train_corpus(), val_corpus(), new_corpus(), seed=1)
    same = [np.array_equal(other[d], expected) for d, expected in plain_scores(name).items()]
    assert same == [name == "linear_cca"] * len(DIRECTIONS)


@every_system
def test_labels_and_events_change_nothing(name: str) -> None:
    """With random labels and events in train and val every score stays as it is: the system is label-free."""
    assert SYSTEMS[name].label_free
    found = scores(SYSTEMS[name], scrambled(train_corpus(), 5), scrambled(val_corpus(), 6), new_corpus())
    for direction, expected in plain_scores(name).items():
        np.testing.assert_array_equal(found[direction], expected)


def with_flaws(corpus: Corpus) -> Corpus:
    """Return the corpus with a silent and a black second, and a column that never moves."""
    audio, visual = corpus.audio.copy(), corpus.visual.copy()
    audio[:, 3], visual[:, 0] = 7.0, 0.0
    audio[0], visual[1] = 0.0, 0.0
    return replace(corpus, audio=audio, visual=visual)


def without_sound(corpus: Corpus) -> Corpus:
    """Return the corpus with the same sound in every second."""
    return replace(corpus, audio=np.zeros_like(corpus.audio))


@every_system
@pytest.mark.parametrize("spoil", [with_flaws, without_sound])
def test_empty_rows_and_constant_columns_score(name: str, spoil: object) -> None:
    """Every distance is a finite number."""
    found = scores(SYSTEMS[name], *(spoil(c) for c in (train_corpus(), val_corpus(), new_corpus())))  # type: ignore[operator]
    for direction, matrix in found.items():
        assert np.isfinite(matrix).all(), direction


@every_system
def test_a_second_without_a_pair_teaches_nothing(name: str) -> None:
    """What the picture of an unseen second holds changes no score."""
    train, half = train_corpus(), np.arange(len(train_corpus().video)) % 2 == 0
    dark = replace(train, seen=half)
    odd = replace(dark, visual=np.where(half[:, None], dark.visual, np.float32(9.0)))
    one, other = (scores(SYSTEMS[name], c, val_corpus(), new_corpus()) for c in (dark, odd))
    for direction in DIRECTIONS:
        np.testing.assert_array_equal(one[direction], other[direction])


@every_system
def test_too_few_videos_are_refused(name: str) -> None:
    """A training split with a single video is a TrainingError that says how many there are."""
    with pytest.raises(TrainingError, match="1 videos with both sound and picture given, at least 2"):
        SYSTEMS[name].fit(planted_corpus(videos=1), val_corpus(), 0, CPU)


@pytest.mark.parametrize("name", [n for n in SYSTEMS if n != "linear_cca"])
def test_a_val_split_that_tells_nothing_is_refused(name: str) -> None:
    """The epoch cannot be chosen on a val split with a single video."""
    with pytest.raises(TrainingError, match="1 videos with both sound and picture given, at least 2"):
        SYSTEMS[name].fit(train_corpus(), planted_corpus(videos=1), 0, CPU)


def test_the_figure_tells_chance_from_knowledge() -> None:
    """A scorer that knows the hidden video scores 1, a random one the mean of 1 / rank."""
    val = planted_corpus(videos=30, seconds=4)
    number = np.eye(30)[val.video]
    assert figure_on(val, lambda corpus: EmbeddingScorer(number, number))() == 1.0
    chance = float(np.mean(1 / np.arange(1, 31)))
    assert figure_on(val, lambda corpus: RandomScorer(0))() == pytest.approx(chance, abs=0.05)


def test_parameters_are_counted() -> None:
    """Linear CCA of 12 and 16 features keeps a mean and 12 dimensions of each side; networks count their layers."""
    train, val = train_corpus(), val_corpus()
    assert LinearCca().fit(train, val, 0, CPU).parameters == (12 + 12 * 12) + (16 + 16 * 12)
    assert AveNet(SHORT).fit(train, val, 0, CPU).parameters == (12 * 128 + 128) + (16 * 128 + 128) + 2


def test_correspondence_is_cross_entropy_by_hand() -> None:
    """Pairs and pairings of different videos weigh one half each; siblings count as neither."""
    logits = torch.tensor([[2.0, 9.0, -1.0], [-9.0, 1.0, 0.5], [0.3, -0.2, -3.0]], dtype=torch.float64)
    pairs = [log1p(np.exp(-x)) for x in (2.0, 1.0, -3.0)]
    others = [log1p(np.exp(x)) for x in (-1.0, 0.5, 0.3, -0.2)]
    expected = 0.5 * np.mean(pairs) + 0.5 * np.mean(others)
    assert correspondence(logits, torch.tensor([4, 4, 7])).item() == pytest.approx(expected)


def test_total_correlation_is_that_of_the_column_spaces() -> None:
    """Without ridge it is the sum of the cosines of the angles between the spaces (Bjorck and Golub, 1973)."""
    corpus = planted_corpus(videos=60, noise=1.0)
    sides = [x[:, :5].astype(np.float64) for x in (corpus.audio, corpus.visual)]
    left, right = (np.linalg.qr(side - side.mean(0))[0] for side in sides)
    expected = np.linalg.svd(left.T @ right, compute_uv=False).sum()
    found = total_correlation(*(torch.from_numpy(side) for side in sides), ridge=0.0)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_fusion_is_a_layer_on_the_concatenation() -> None:
    """The logit of a pair is that of one linear layer on both embeddings side by side."""
    torch.manual_seed(0)
    network = FusedTowers(train_corpus()).eval()
    width = network.fusion["audio"].in_features
    audio, visual = torch.randn(3, width), torch.randn(4, width)
    layers = network.fusion["audio"], network.fusion["visual"]
    matrix, bias = torch.cat([layer.weight for layer in layers], dim=1), layers[0].bias + layers[1].bias
    found = network.logits(audio, visual)
    for i in range(3):
        for j in range(4):
            both = torch.cat([audio[i], visual[j]]).relu()
            torch.testing.assert_close(found[i, j], network.verdict((matrix @ both + bias).relu())[0])


def test_l3_net_gives_a_pair_one_verdict() -> None:
    """Sound to picture and picture to sound are the same distances, turned over."""
    found = plain_scores("l3_net")
    np.testing.assert_array_equal(found["VA"], found["AV"].T)


def test_ave_net_embeds_on_the_unit_sphere() -> None:
    """No distance exceeds 2, and a second lies at no distance from itself."""
    found = plain_scores("ave_net")
    assert max(matrix.max() for matrix in found.values()) <= 2 + 1e-6
    np.testing.assert_allclose(np.diag(found["AA"]), 0, atol=1e-6)


def test_cm_vae_decoders_share_nothing() -> None:
    """The generated sound tells nothing to the weights that generate the picture, and the other way round."""
    network = SeparateDecoders(Architecture((12,), (16,), latent=8, hidden=10))
    visual, audio = network.decoders
    pair = network.decode(torch.randn(5, 8))
    assert pair.shape == (5, 28)
    pair[:, :16].sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in visual.parameters())
    assert all(p.grad.abs().sum() == 0 for p in audio.parameters())


@pytest.mark.parametrize(("modality", "other"), [("audio", 1), ("visual", 0)])
def test_cm_vae_generates_across(modality: str, other: int) -> None:
    """What an encoder learns depends on the features of the other modality, which it never sees."""
    network = SeparateDecoders(Architecture((12,), (16,), latent=8, hidden=10))
    torch.manual_seed(0)
    features = [torch.randn(6, 12), torch.randn(6, 16)]
    gradients = []
    for _ in range(2):
        torch.manual_seed(1)  # the same samples
        network.zero_grad()
        network.loss(*features).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.encoders[modality].parameters()]))
        features[other] = features[other] + 1
    assert (gradients[0] - gradients[1]).abs().max() > 1e-3
