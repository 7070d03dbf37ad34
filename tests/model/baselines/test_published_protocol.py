"""The released recipe and the released evaluation, each against a hand's or another program's arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import mse_loss

from model.baselines import msvae_published
from model.baselines.blind import ALWAYS_LAST
from model.baselines.msvae_published import MsvaePublished
from model.baselines.published_protocol import BUGS, Bug, divided_by_row_maximum, measure_published
from model.baselines.system import Fitted
from model.data.corpus import Corpus
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import TrainingError
from model.judging.evaluation import measure
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import LatentScorer, Scorer
from model.network.msvae import MSVAE, Architecture
from model.training.recipe import PUBLISHED

CPU = torch.device("cpu")
OTHER = {"audio": "visual", "visual": "audio"}

# Distances of four videos of classes a b a b, one second each; a row is a query. The rankings of the others:
# 0: 1b 2a 3b; 1: 2a 3b 0a; 2: 1b 0a 3b; 3: 0a 2a 1b. Own items are far.
LABELS = [0, 1, 0, 1]
TABLE = np.array([[9, 1, 2, 3], [3, 9, 1, 2], [2, 1, 9, 3], [1, 3, 2, 9]], np.float64)
TRUE = [1 / 2, 1 / 2, 1 / 2, 1 / 3]


@dataclass
class Tabled(Scorer):
    """Look distances up in a table over all seconds; between modalities in another one, if given."""

    table: np.ndarray
    cross: np.ndarray | None = None

    def score(self, query: str, queries: np.ndarray, target: str, items: np.ndarray) -> np.ndarray:
        table = self.table if self.cross is None or query == target else self.cross
        return table[np.ix_(queries, items)].copy()


def labelled(labels: list[int], event: tuple[int, int], seconds: int, seed: int = 0) -> Corpus:
    """Return videos with random features, each with an event [start, end)."""
    corpus = planted_corpus(len(labels), seconds, seed=seed)
    classes = tuple(f"class {c}" for c in range(max(labels) + 1))
    inside = (corpus.start_s >= event[0]) & (corpus.start_s < event[1])
    return replace(corpus, label=np.array(labels), classes=classes, event=inside)


def tabled(bugs: frozenset[Bug], labels: list[int] | None = None) -> dict[str, list[float]]:
    """Return MRR by direction and query for the table."""
    corpus = labelled(labels or LABELS, (0, 1), seconds=1)
    found = measure_published(corpus, Fitted(lambda _: Tabled(TABLE)), bugs, galleries=3, shuffled=False)
    return {direction: values["mrr"].tolist() for direction, values in found.retrieval.items()}


def random_latents(n: int, seed: int) -> Latents:
    random = np.random.default_rng(seed)
    return Latents(*(random.standard_normal((n, width)).astype(np.float32) for width in (4, 4, 24)))


def test_without_the_bugs_rankings_are_the_true_ones() -> None:
    """Ranks 2, 2, 2, 3 of the first of the class, own items last or left out."""
    assert tabled(frozenset()) == {d: pytest.approx(TRUE) for d in ("AA", "AV", "VA", "VV")}


def test_undeleted_labels_are_read_one_late() -> None:
    """The three items left are read as a b a: query 0 gets 1b 2a 3b as a b a, query 1 0a 2a 3b as a b a, and so on."""
    found = tabled(frozenset({"undeleted_label"}))
    assert found["AA"] == found["VV"] == pytest.approx([1, 1, 1 / 2, 1 / 3])
    assert found["AV"] == found["VA"] == pytest.approx(TRUE)


def test_an_undeleted_label_lets_a_lone_query_find_itself() -> None:
    """The item behind the only one of a class is read as of that class; truly there is nothing to be found."""
    truly, falsely = (tabled(bugs, [0, 1, 0, 0])["VV"][1] for bugs in (frozenset(), frozenset({"undeleted_label"})))
    assert np.isnan(truly)
    assert falsely == 1  # item 2, the nearest, stands at place 1, where the label of item 1 still is


def test_a_reused_ranking_is_that_of_the_last_picture() -> None:
    """Every sound gets 0a 2a 1b, the ranking of picture 3 among pictures: first of a at rank 1, first of b at rank 3.

    Between modalities, upside down, sounds would find 0a, 1b, 2a and 1b first, and so do pictures.
    """
    corpus, scorer = labelled(LABELS, (0, 1), seconds=1), Tabled(TABLE, cross=TABLE[::-1])
    bugs: frozenset[Bug] = frozenset({"reused_ranking"})
    found = measure_published(corpus, Fitted(lambda _: scorer), bugs, galleries=1, shuffled=False).retrieval
    assert found["AV"]["mrr"].tolist() == pytest.approx([1, 1 / 3, 1, 1 / 3])
    assert found["VA"]["mrr"].tolist() == [1, 1, 1, 1]
    for direction in ("AA", "VV"):
        assert found[direction]["mrr"].tolist() == pytest.approx(TRUE)


def test_both_bugs_together() -> None:
    """The last picture has no item behind it, so that its ranking is read rightly."""
    found = tabled(BUGS)
    assert found["VV"] == pytest.approx([1, 1, 1 / 2, 1 / 3])
    assert found["AV"] == pytest.approx([1, 1 / 3, 1, 1 / 3])


def test_shuffling_lets_the_undeleted_label_show() -> None:
    """Two classes, side by side: what knows the class is nearly right in order, and shuffled it is not; videos stay."""
    label = np.repeat([0, 1], 20)
    corpus = labelled(label.tolist(), (0, 1), seconds=1)
    known = Fitted(lambda _: Tabled((label[:, None] != label) + np.random.default_rng(0).random((40, 40)) / 2))
    undeleted: frozenset[Bug] = frozenset({"undeleted_label"})
    in_order, mixed, right = (
        measure_published(corpus, known, bugs, galleries=20, shuffled=shuffled).retrieval["VV"]["mrr"].mean()
        for bugs, shuffled in ((undeleted, False), (undeleted, True), (frozenset(), True))
    )
    assert right == 1
    assert in_order > 0.95
    assert mixed < 0.9


def test_without_the_bugs_retrieval_is_that_of_the_corrected_protocol() -> None:
    """The same seconds are drawn, the same figures come out, for a scorer that looks at no feature."""
    corpus = labelled([0, 1, 0, 2, 1, 2, 0, 3], (2, 5), seconds=6)
    scorer = Tabled(np.random.default_rng(0).random((48, 48)))
    published = measure_published(corpus, Fitted(lambda _: scorer), frozenset(), galleries=4, seed=3)
    corrected = measure(corpus, scorer, ScoreLocalizer(scorer, corpus), galleries=4, seed=3)
    for direction, values in corrected.retrieval.items():
        for metric in ("mrr", "map"):
            np.testing.assert_allclose(published.retrieval[direction][metric], values[metric])
    np.testing.assert_array_equal(
        published.localization["plain"]["A2V"]["tiou"], corrected.localization["plain"]["A2V"]["tiou"]
    )


def test_generated_pairs_count_by_mean_square_in_retrieval_and_by_norm_in_localization() -> None:
    """W2 + MSE for rankings, W2 + norm for windows, both in plain loops."""
    corpus = labelled([0, 1, 0, 1, 2, 2, 1], (1, 4), seconds=5)
    latents = {"audio": random_latents(35, 0), "visual": random_latents(35, 1)}

    def distance(q: int, d: int, mean_square: bool) -> float:
        one, other = latents["audio"], latents["visual"]
        spread = [((getattr(one, k)[q] - getattr(other, k)[d]) ** 2).sum() for k in ("mu", "sigma")]
        error = (one.generated[q] - other.generated[d]) ** 2
        return float(np.sqrt(sum(spread)) + (error.mean() if mean_square else np.sqrt(error.sum())))

    fitted = Fitted(lambda _: LatentScorer(latents, ScoreWeights()))
    single = replace(corpus, event=corpus.start_s == 2)  # one second to draw
    found = measure_published(single, fitted, frozenset(), galleries=1).retrieval["AV"]["mrr"]
    for video in range(7):
        ranked = sorted(range(7), key=lambda d: distance(5 * video + 2, 5 * d + 2, mean_square=True))
        first = next(r for r, d in enumerate(ranked, 1) if corpus.label[d] == corpus.label[video])
        assert found[video] == pytest.approx(1 / first)
    exact = measure_published(corpus, fitted).localization["plain"]["A2V"]["exact"]
    for video in range(7):
        sums = [sum(distance(5 * video + 1 + s, 5 * video + t + s, False) for s in range(3)) for t in range(3)]
        assert exact[video] == (int(np.argmin(sums)) == 1)


def test_features_are_divided_by_their_rows_maximum() -> None:
    """A row of zeros or without a positive number becomes zeros and is counted where it is no gap."""
    audio = np.array([[1, 2, 4], [-4, 0, 2], [0, 0, 0], [-3, -1, -2], [0, 0, 0]], np.float32)
    corpus = labelled([0], (0, 5), seconds=5)
    corpus = replace(corpus, audio=audio, visual=np.full((5, 1, 2), 8, np.float32), heard=np.arange(5) < 4)
    divided, count = divided_by_row_maximum(corpus)
    expected = [[0.25, 0.5, 1], [-2, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(divided.audio, np.array(expected, np.float32))
    np.testing.assert_array_equal(divided.visual, np.ones((5, 1, 2), np.float32))
    assert count == 2


def test_a_system_is_judged_on_the_divided_features() -> None:
    """Scorer and localizer are made of rows whose maximum is 1."""
    corpus, given = labelled([0, 1], (0, 2), seconds=3), []

    def scorer(judged: Corpus) -> Scorer:
        given.append(judged)
        return Tabled(np.ones((6, 6)))

    measure_published(corpus, Fitted(scorer))
    np.testing.assert_allclose(given[0].audio.max(1), 1)
    np.testing.assert_allclose(given[0].visual.max(1), 1)


def test_rules_have_plain_windows_alone() -> None:
    """A rule of position is right where events touch the end; it retrieves nothing, and nothing is rolled."""
    corpus = labelled([0, 1, 0], (3, 6), seconds=6)
    found = measure_published(corpus, ALWAYS_LAST.fit(corpus, corpus, 0, CPU))
    assert found.localization["plain"]["V2A"]["exact"].tolist() == [1, 1, 1]
    assert all(np.isnan(v).all() for metrics in found.localization["rolled"].values() for v in metrics.values())
    assert all(np.isnan(metrics["mrr"]).all() for metrics in found.retrieval.values())


Step = tuple[str, tuple[int, ...], float]  # direction, rows, weight of KL


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Note each loss that the recipe asks for; a second's first sound feature names its row."""
    asked: list[Step] = []
    loss: Callable[..., Tensor] = msvae_published.direction_loss

    def noted(model: MSVAE, source: Any, audio: Tensor, visual: Tensor, kl: float, wasserstein: float) -> Tensor:
        asked.append((source, tuple(audio[:, 0].int().tolist()), kl))
        return loss(model, source, audio, visual, kl, wasserstein)

    monkeypatch.setattr(msvae_published, "direction_loss", noted)
    return asked


def test_a_step_takes_the_event_of_a_video_in_order_of_class(steps: list[Step]) -> None:
    """Labels b a b: videos 1, 0, 2; event seconds with both modalities alone; from sound, then from the picture."""
    corpus = labelled([1, 0, 1], (1, 4), seconds=5)
    corpus.audio[:, 0] = np.arange(15)
    corpus.heard[2] = False
    MsvaePublished(replace(PUBLISHED, epochs=2)).fit(corpus, corpus, 0, CPU)
    epoch = [(s, rows) for rows in ((6, 7, 8), (1, 3), (11, 12, 13)) for s in ("audio", "visual")]
    assert [(source, rows) for source, rows, _ in steps] == 2 * epoch


def test_the_weight_of_kl_falls_after_ten_epochs(steps: list[Step]) -> None:
    """Ten epochs at .1, five at .01."""
    corpus = labelled([0], (0, 2), seconds=3)
    MsvaePublished().fit(corpus, corpus, 0, CPU)
    assert [kl for source, _, kl in steps if source == "audio"] == [0.1] * 10 + [0.01] * 5


def adam(weights: list[Tensor], gradients: list[Tensor], moments: dict[str, Any], rate: float) -> None:
    """Move weights by the formula of Kingma and Ba, 2015."""
    moments["t"] = moments.get("t", 0) + 1
    for number, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        first, second = moments.get(number, (torch.zeros_like(weight), torch.zeros_like(weight)))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        moments[number] = (first, second)
        unbiased = first / (1 - 0.9 ** moments["t"]), second / (1 - 0.999 ** moments["t"])
        with torch.no_grad():
            weight -= rate * unbiased[0] / (unbiased[1].sqrt() + 1e-8)


def train_by_hand(corpus: Corpus, rows: list[slice], seed: int, rate: float) -> MSVAE:
    """Go once through the steps: each direction's loss moves its encoder and the decoder, with its own moments."""
    torch.manual_seed(seed)
    model = MSVAE(Architecture((12,), (16,), latent=100, spherical=False, paper_widths=True))
    moments: dict[str, dict[str, Any]] = {"audio": {}, "visual": {}}
    for seconds in rows:
        features = {m: torch.from_numpy(getattr(corpus, m)[seconds]) for m in ("audio", "visual")}
        pair = torch.cat([features["visual"], features["audio"]], dim=1)
        for source in ("audio", "visual"):
            gaussians = {}
            for m in (source, OTHER[source]):
                mean, log_variance = model.encoders[m](features[m]).chunk(2, dim=1)
                gaussians[m] = mean, torch.exp(log_variance / 2)
            samples = {m: mean + sigma * torch.randn(mean.shape) for m, (mean, sigma) in gaussians.items()}
            prior = Independent(Normal(torch.zeros(100), torch.ones(100)), 1)
            kl = kl_divergence(Independent(Normal(*gaussians[source]), 1), prior).mean()
            norm = torch.linalg.vector_norm(samples["audio"] - samples["visual"], dim=1).mean()
            loss = mse_loss(model.decode(samples[source]), pair) + 0.1 * kl + norm
            owned = [*model.encoders[source].parameters(), *model.decoder.parameters()]
            adam(owned, list(torch.autograd.grad(loss, owned)), moments[source], rate)
    return model


def test_the_steps_are_those_of_another_program() -> None:
    """Loss by torch.distributions, Adam by its formula: the same network after six steps, the decoder moved by both."""
    corpus = labelled([0, 0, 1], (1, 4), seconds=5)
    fitted = MsvaePublished(replace(PUBLISHED, epochs=1, learning_rate=1e-4)).fit(corpus, corpus, 7, CPU)
    expected = train_by_hand(corpus, [slice(1, 4), slice(6, 9), slice(11, 14)], 7, 1e-4).eval()
    start = train_by_hand(corpus, [], 7, 1e-4).eval()
    assert fitted.parameters == sum(p.numel() for p in expected.parameters())
    assert fitted.scorer is not None
    scorer = fitted.scorer(corpus)
    rows = np.arange(15)
    with torch.inference_mode():
        for query, target in (("audio", "visual"), ("visual", "visual"), ("audio", "audio")):
            found = scorer.score(query, rows, target, rows)
            by_hand, untrained = (raw_distances(m, corpus, query, target) for m in (expected, start))
            moved = np.abs(untrained - by_hand)
            assert np.abs(found - by_hand).max() < 0.01 * moved.mean()


def raw_distances(model: MSVAE, corpus: Corpus, query: str, target: str) -> np.ndarray:
    """Return W2 plus the norm of generated pairs, from raw features."""
    rows = []
    for modality in (query, target):
        mean, log_variance = model.encoders[modality](torch.from_numpy(getattr(corpus, modality))).chunk(2, dim=1)
        rows.append((torch.cat([mean, torch.exp(log_variance / 2)], dim=1), model.decode(mean)))
    (one, pair), (other, pair_d) = rows
    return (one[:, None] - other).norm(dim=2).numpy() + (pair[:, None] - pair_d).norm(dim=2).numpy()


def test_the_same_seed_gives_the_same_system() -> None:
    """Scores repeat; another seed gives others; a silent row, all zeros, has finite ones."""
    corpus = labelled([0, 1], (0, 2), seconds=3)
    corpus.audio[1] = 0
    rows, tables = np.arange(6), []
    for seed in (0, 0, 1):
        fitted = MsvaePublished(replace(PUBLISHED, epochs=1)).fit(corpus, corpus, seed, CPU)
        assert fitted.scorer is not None
        tables.append(fitted.scorer(corpus).score("audio", rows, "visual", rows))
    np.testing.assert_array_equal(tables[0], tables[1])
    assert not np.allclose(tables[0], tables[2])
    assert np.isfinite(tables[0]).all()


def test_training_without_an_event_is_refused() -> None:
    """The recipe drops all seconds outside events; where there is no event nothing is left."""
    corpus = planted_corpus(3)
    with pytest.raises(TrainingError, match="no event"):
        MsvaePublished().fit(corpus, corpus, 0, CPU)


def test_a_diverging_fit_is_said() -> None:
    """Raw features beyond float32's squares end in an error, not in NaN scores."""
    corpus = labelled([0, 1], (0, 2), seconds=3)
    corpus.audio[:] = 1e30
    with pytest.raises(TrainingError, match="diverged"):
        MsvaePublished(replace(PUBLISHED, epochs=1)).fit(corpus, corpus, 0, CPU)
