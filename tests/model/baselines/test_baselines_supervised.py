"""The systems of the comparison that learn from labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus

from model.baselines import avdln, avfb, avsdn, eics, tnn_c_cca, vae_cca
from model.baselines.avdln import Avdln, other_seconds
from model.baselines.avfb import Avfb
from model.baselines.avsdn import Avsdn, SequenceLocalizer, SequenceNetwork, cut
from model.baselines.eics import TEMPERATURE, DualSubspaces, Eics, pair_surprise
from model.baselines.fitting import Schedule
from model.baselines.supervised_linear import SupervisedLinear
from model.baselines.supervision import event_odds, labelled_seconds, targets_of
from model.baselines.system import Fitted, System
from model.baselines.tnn_c_cca import MARGIN, TnnCCca, triplet_loss
from model.baselines.vae_cca import TwoAutoencoders, VaeCca, centre_distance, class_surprise
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.evaluation import CROSSINGS, clips_of, measure
from model.judging.localizers import Localizer, ScoreLocalizer
from model.judging.scorers import Scorer
from model.judging.windows import window_distances
from model.modality import MODALITIES

SYSTEMS: list[type[System]] = [SupervisedLinear, Avdln, Avsdn, Avfb, VaeCca, TnnCCca, Eics]
CPU = torch.device("cpu")
SECONDS = 8

every_system = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny corpora need tiny batches, or a fit is over after a dozen steps."""
    for module, batch in ((avdln, 32), (avfb, 32), (avsdn, 8), (eics, 32), (tnn_c_cca, 32), (vae_cca, 32)):
        monkeypatch.setattr(module, "SCHEDULE", Schedule(epochs=8, patience=8, batch=batch, learning_rate=5e-3))
    monkeypatch.setattr(avsdn, "HIDDEN", 16)
    monkeypatch.setattr(avfb, "OUTPUTS", 32)


def labelled_corpus(videos: int, seed: int, classes: int = 4) -> Corpus:
    """Return videos whose event shows its class in sound and picture; all else is noise."""
    shows, random = np.random.default_rng(7), np.random.default_rng(seed)
    corpus = planted_corpus(videos=videos, seconds=SECONDS, noise=0.0, seed=seed)
    label = np.arange(videos) % classes
    length = random.integers(2, 6, videos)
    start = np.floor(random.random(videos) * (SECONDS - length + 1))
    event = (corpus.start_s >= start[corpus.video]) & (corpus.start_s < (start + length)[corpus.video])
    features = {}
    for modality, width in (("audio", 12), ("visual", 16)):
        shown = shows.standard_normal((classes, width))[label[corpus.video]] * event[:, None]
        noisy = 2 * shown + 0.4 * random.standard_normal((len(event), width))
        features[modality] = noisy.astype(np.float32)
    names = tuple(f"class-{c}" for c in range(classes))
    return replace(corpus, **features, event=event, label=label, classes=names)


TRAIN, VAL, TEST = labelled_corpus(40, 0), labelled_corpus(16, 1), labelled_corpus(24, 2)


def judged(fitted: Fitted, corpus: Corpus) -> tuple[Scorer, Localizer]:
    assert fitted.scorer is not None
    scorer = fitted.scorer(corpus)
    return scorer, fitted.localizer(corpus) if fitted.localizer else ScoreLocalizer(scorer, corpus)


def matrices(fitted: Fitted, corpus: Corpus) -> list[np.ndarray]:
    scorer, _ = judged(fitted, corpus)
    rows = np.arange(len(corpus.video))
    return [scorer.score(query, rows, target, rows) for query in MODALITIES for target in MODALITIES]


@every_system
def test_learns_planted_classes(system: type[System]) -> None:
    """Far above chance on unseen videos: MRR in every direction (chance .5) and rolled exact match (chance .13)."""
    fitted = system().fit(TRAIN, VAL, 0, CPU)
    found = measure(TEST, *judged(fitted, TEST), galleries=3)
    assert min(np.nanmean(direction["mrr"]) for direction in found.retrieval.values()) > 0.85
    assert min(np.nanmean(crossing["exact"]) for crossing in found.localization["rolled"].values()) > 0.5
    assert fitted.parameters > 0
    assert not system.label_free


@every_system
def test_same_seed_same_system(system: type[System]) -> None:
    """Two fits with one seed judge alike, to the last bit."""
    one, other = (system().fit(TRAIN, VAL, 3, CPU) for _ in range(2))
    for first, second in zip(matrices(one, TEST), matrices(other, TEST), strict=True):
        np.testing.assert_array_equal(first, second)


@every_system
def test_a_modality_is_judged_alone(system: type[System]) -> None:
    """Distances between sounds do not change with the picture, nor those between pictures with the sound."""
    fitted = system().fit(TRAIN, VAL, 0, CPU)
    before = matrices(fitted, TEST)
    np.testing.assert_array_equal(before[0], matrices(fitted, replace(TEST, visual=TEST.visual[::-1].copy()))[0])
    np.testing.assert_array_equal(before[3], matrices(fitted, replace(TEST, audio=TEST.audio[::-1].copy()))[3])


@every_system
def test_odd_features_and_labels(system: type[System]) -> None:
    """A zero row, a constant element, a class with one video, an unlabelled video and unseen seconds do no harm."""
    label, visual, seen = TRAIN.label.copy(), TRAIN.visual.copy(), TRAIN.seen.copy()
    label[:2] = (4, -1)
    visual[:, 3], visual[5] = 1.5, 0
    visual[40:43], seen[40:43] = 0, False
    event = TRAIN.event & (TRAIN.video != 1)
    train = replace(TRAIN, label=label, visual=visual, seen=seen, event=event, classes=(*TRAIN.classes, "rare"))
    silent = TEST.audio.copy()
    silent[:3] = 0
    test = replace(TEST, audio=silent)
    val = replace(VAL, label=np.where(np.arange(16) == 0, 4, VAL.label), classes=train.classes)
    fitted = system().fit(train, val, 0, CPU)
    assert all(np.isfinite(matrix).all() for matrix in matrices(fitted, test))
    found = measure(test, *judged(fitted, test), galleries=1)
    assert np.nanmean(found.retrieval["AV"]["mrr"]) > 0.7


@every_system
def test_fits_without_anything_to_localize_or_to_pair_up(system: type[System]) -> None:
    """A val split of whole-clip events, each class once, still leads to a system; features may have any shape."""
    sparse = labelled_corpus(3, 1)
    sparse = replace(sparse, event=np.ones(len(sparse.event), bool))
    train, val = (replace(corpus, visual=corpus.visual.reshape(-1, 4, 2, 2)) for corpus in (TRAIN, sparse))
    fitted = system().fit(train, val, 0, CPU)
    assert all(np.isfinite(matrix).all() for matrix in matrices(fitted, val))


@every_system
def test_an_unseen_second_is_in_no_window(system: type[System]) -> None:
    """A window with a second that lacks the target's modality has no distance; the others have one."""
    clip = clips_of(TEST)[0]
    seen = TEST.seen.copy()
    seen[clip.seconds[2]] = False
    corpus = replace(TEST, seen=seen)
    _, localizer = judged(system().fit(TRAIN, VAL, 0, CPU), corpus)
    windows = localizer.windows("audio", clip.event, "visual", clip.seconds, True)
    covered = [(2 - start) % SECONDS < clip.length for start in range(SECONDS)]
    np.testing.assert_array_equal(np.isnan(windows), covered)


@every_system
@pytest.mark.parametrize("missing", ["labels", "events"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_refuses_splits_without_labels(system: type[System], split: str, missing: str) -> None:
    """Without labels, or without a marked event, the error says which split and what to do."""
    unlabelled = replace(VAL, label=np.full(16, -1))
    bare = unlabelled if missing == "labels" else replace(VAL, event=np.zeros(16 * SECONDS, bool))
    train, val = (bare, VAL) if split == "train" else (TRAIN, bare)
    with pytest.raises(TrainingError, match=rf"0 labelled videos .* in the {split}.* at least 2 .* leave it out"):
        system().fit(train, val, 0, CPU)


def test_targets_are_classes_background_or_unknown() -> None:
    """A second has its video's class within the event, the next number outside, -1 in a video without label."""
    corpus = replace(VAL, label=np.where(np.arange(16) == 1, -1, VAL.label))
    targets = targets_of(corpus)
    assert set(targets[corpus.video == 1]) == {-1}
    assert set(targets[(corpus.video == 2) & corpus.event]) == {2}
    assert set(targets[(corpus.video == 2) & ~corpus.event]) == {4}
    assert 1 not in corpus.video[labelled_seconds(corpus)]


def test_event_odds_are_the_likelihood_of_a_window() -> None:
    """Their sum over a window ranks windows as the likelihood of the event there and background elsewhere does."""
    random = np.random.default_rng(0)
    target = random.standard_normal((6, 4))
    query = np.full((3, 4), -50.0)
    query[:, 1] = 50.0  # surely the second class
    log = target - np.log(np.exp(target).sum(1, keepdims=True))
    sums = [event_odds(query, target[start : start + 3]).diagonal().sum() for start in range(4)]
    likelihood = [
        log[start : start + 3, 1].sum() + np.delete(log[:, 3], range(start, start + 3)).sum() for start in range(4)
    ]
    np.testing.assert_allclose(np.diff(sums), -np.diff(likelihood), atol=1e-6)


@pytest.fixture(scope="module")
def sequence_localizer() -> SequenceLocalizer:
    """Return an untrained network's: what it must respect does not depend on training."""
    torch.manual_seed(0)
    return SequenceLocalizer(SequenceNetwork(TRAIN).eval(), TEST)


@pytest.mark.parametrize("crossing", CROSSINGS)
@pytest.mark.parametrize("turn", [1, 3, SECONDS - 1])
def test_rolled_answers_turn_with_the_target(sequence_localizer: SequenceLocalizer, crossing: str, turn: int) -> None:
    """Turning the target by r seconds turns AVSDN's rolled distances by r; they do differ between windows."""
    query, target = CROSSINGS[crossing]
    clip = clips_of(TEST)[0]
    still = sequence_localizer.windows(query, clip.event, target, clip.seconds, True)
    turned = sequence_localizer.windows(query, clip.event, target, np.roll(clip.seconds, turn), True)
    np.testing.assert_allclose(turned, np.roll(still, turn), atol=1e-6)
    assert np.ptp(still) > 1e-3


def test_rolled_answers_are_the_mean_over_turns(sequence_localizer: SequenceLocalizer) -> None:
    """Each second's distance is averaged over all turns of the target, then windows are summed around the end."""
    clip, network = clips_of(TEST)[0], sequence_localizer._network
    asked = network.alone("audio", TEST.audio[clip.event][None])[0]
    turned = [network.alone("visual", TEST.visual[np.roll(clip.seconds, turn)][None])[0] for turn in range(SECONDS)]
    matrices = [np.roll(event_odds(asked, logits), -turn, axis=1) for turn, logits in enumerate(turned)]
    expected = window_distances(np.mean(matrices, axis=0), rolled=True)
    found = sequence_localizer.windows("audio", clip.event, "visual", clip.seconds, True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.ptp(matrices, axis=0).max() > 1e-3  # the network does know absolute time


def test_avsdn_reads_nothing_around_the_query(sequence_localizer: SequenceLocalizer) -> None:
    """The query's surroundings are not given: other seconds of its modality change nothing."""
    clip = clips_of(TEST)[0]
    around = np.setdiff1d(clip.seconds, clip.event)
    audio = TEST.audio.copy()
    audio[around] = 9.0
    changed = SequenceLocalizer(sequence_localizer._network, replace(TEST, audio=audio))
    before, after = (
        localizer.windows("audio", clip.event, "visual", clip.seconds, True)
        for localizer in (sequence_localizer, changed)
    )
    np.testing.assert_array_equal(before, after)


def test_cuts_are_stretches_of_their_videos() -> None:
    """Every row of a cut belongs to its video, follows the one before in time, around the end if turned."""
    rng, lengths = np.random.default_rng(0), set()
    videos = np.array([3, 0, 17])
    for _ in range(200):
        rows = cut(TRAIN, videos, rng)
        lengths.add(rows.shape[1])
        np.testing.assert_array_equal(TRAIN.video[rows], np.repeat(videos[:, None], rows.shape[1], axis=1))
        assert (np.diff(TRAIN.start_s[rows], axis=1) % SECONDS == 1).all()
    assert lengths == set(range(1, SECONDS + 1))


def test_other_seconds_are_of_the_same_video() -> None:
    """Another second of the same video is drawn, never the same; the same only where there is no other."""
    rows, rng = np.arange(len(TRAIN.video)), np.random.default_rng(0)
    drawn = np.array([other_seconds(TRAIN, rows, rng) for _ in range(40)])
    assert (TRAIN.video[drawn] == TRAIN.video[rows]).all()
    assert (drawn != rows).all()
    assert len(np.unique(drawn[:, 0])) == SECONDS - 1
    alone = planted_corpus(videos=3, seconds=1)
    np.testing.assert_array_equal(other_seconds(alone, np.arange(3), rng), np.arange(3))


def test_triplets_cost_by_hand() -> None:
    """Of every anchor, item of its class and item of another: the margin less the gap, mean of those above zero."""
    random, target = np.random.default_rng(0), np.array([0, 0, 1, 1, 2])
    anchor, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in random.standard_normal((2, 5, 3)))
    distance = 1 - anchor @ other.T
    costs = [
        distance[a, p] - distance[a, n] + MARGIN
        for a, p, n in product(range(5), repeat=3)
        if target[a] == target[p] != target[n]
    ]
    assert min(costs) < 0 < max(costs)
    found = triplet_loss(*map(torch.from_numpy, (anchor, other, target)))
    assert found.item() == pytest.approx(np.mean([cost for cost in costs if cost > 0]))


def test_a_batch_of_one_class_has_no_triplet() -> None:
    """It costs nothing and teaches nothing, with finite gradients."""
    anchor = torch.randn(4, 3, requires_grad=True)
    loss = triplet_loss(anchor, anchor, torch.zeros(4, dtype=torch.int64))
    loss.backward()
    assert anchor.grad is not None
    assert (loss.item(), anchor.grad.abs().sum().item()) == (0.0, 0.0)


def test_pairs_surprise_by_hand() -> None:
    """Cross-entropy of the own pair among other videos, both ways; a sibling of the same video counts for nothing."""
    cosine = np.random.default_rng(0).uniform(-1, 1, (4, 4))
    video = np.array([7, 7, 8, 9])
    surprises = []
    for table in (cosine, cosine.T):
        for i in range(4):
            among = [i, *np.flatnonzero(video != video[i])]
            weights = np.exp(table[i, among] / TEMPERATURE)
            surprises.append(-np.log(weights[0] / weights.sum()))
    found = pair_surprise(torch.from_numpy(cosine), torch.from_numpy(video))
    assert found.item() == pytest.approx(np.mean(surprises))


def test_class_surprise_by_hand() -> None:
    """Minus the log likelihood of a logistic of half the correlation coefficient."""
    one, other = np.random.default_rng(0).standard_normal((2, 4, 6))
    target = np.array([0, 1, 0, 2])
    shares = 1 / (1 + np.exp(-0.5 * np.corrcoef(one, other)[:4, 4:]))
    expected = -np.log(np.where(target[:, None] == target, shares, 1 - shares)).mean()
    assert class_surprise(*map(torch.from_numpy, (one, other, target))).item() == pytest.approx(expected)


def test_centre_distance_is_the_variance_within_classes() -> None:
    """The sum of the dimensions' variances within a class, classes counting by their items."""
    latent, target = np.random.default_rng(0).standard_normal((6, 3)), np.array([0, 0, 0, 4, 4, 2])
    expected = sum(np.var(latent[target == c], axis=0).sum() * (target == c).sum() for c in (0, 2, 4)) / 6
    assert centre_distance(torch.from_numpy(latent), torch.from_numpy(target)).item() == pytest.approx(expected)


def test_vae_cca_generates_each_modality_from_itself() -> None:
    """Every layer learns from the loss, and the encoder of sound learns from the picture's latent, too."""
    rows = np.flatnonzero(TRAIN.event)[:32]
    target = torch.from_numpy(targets_of(TRAIN)[rows])
    audio, visual = torch.from_numpy(TRAIN.audio[rows]), torch.from_numpy(TRAIN.visual[rows])
    torch.manual_seed(0)
    network = TwoAutoencoders(TRAIN)
    gradients = []
    for picture in (visual, visual.flip(0)):
        torch.manual_seed(1)  # the same samples
        network.zero_grad()
        network.loss(audio, picture, target).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
        gradients.append(torch.cat([p.grad.flatten() for p in network.towers["audio"].parameters()]))
    assert (gradients[0] - gradients[1]).abs().max() > 1e-5


def test_eics_keeps_labels_out_of_the_explicit_space() -> None:
    """Other labels change what the implicit layers learn, and nothing that the explicit layer does."""
    rows = np.flatnonzero(TRAIN.event)[:32]
    audio, visual, video = (torch.from_numpy(x[rows]) for x in (TRAIN.audio, TRAIN.visual, TRAIN.video))
    torch.manual_seed(0)
    network = DualSubspaces(TRAIN).eval()
    gradients = []
    for shift in (0, 1):
        network.zero_grad()
        target = torch.from_numpy((targets_of(TRAIN)[rows] + shift) % 4)
        network.loss(audio, visual, video, target).backward()
        gradients.append([network.explicit.weight.grad.clone(), network.implicit["audio"].weight.grad.clone()])
    (explicit, implicit), (explicit_too, implicit_too) = gradients
    assert explicit.abs().max() > 0
    torch.testing.assert_close(explicit, explicit_too, rtol=0, atol=0)
    assert (implicit - implicit_too).abs().max() > 1e-5


def test_eics_weighs_both_spaces_the_same() -> None:
    """The cosine of two embeddings is the mean of the cosines in either space."""
    network = DualSubspaces(TRAIN).eval()
    audio, visual = torch.from_numpy(TRAIN.audio[:5]), torch.from_numpy(TRAIN.visual[:5])
    spaces = zip(network.spaces("audio", audio), network.spaces("visual", visual), strict=True)
    cosines = [torch.nn.functional.cosine_similarity(heard, seen) for heard, seen in spaces]
    found = torch.nn.functional.cosine_similarity(network("audio", audio), network("visual", visual))
    torch.testing.assert_close(found, torch.stack(cosines).mean(0))
