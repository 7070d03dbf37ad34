"""Training: repeatable, resumable, blind to what it must not see, and able to learn what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from safetensors.torch import save

from model.data.corpus import Corpus
from model.errors import TrainingError
from model.network.device import choose_device
from model.network.encoder import Encoder
from model.training.objective import Objective
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT, PUBLISHED, Recipe, recipe_named
from model.training.run import Epoch
from model.training.state import TrainingState
from model.training.validation import encode_pairs, validate

CPU = torch.device("cpu")
SMALL = replace(DEFAULT, latent=8, hidden=32, epochs=4, held_epochs=1, batch=32)
PICTURES: dict[str, Any] = {"audio_shape": (16, 32), "visual_shape": (3, 16, 16)}
SMALL_PUBLISHED = replace(PUBLISHED, epochs=3, kl_warm_up=(2, 0.1))


def trained(corpus: Corpus, recipe: Recipe = SMALL, seed: int = 0, **more: Any) -> Trained:
    return train(corpus, recipe, ("raw", "raw-1"), seed, CPU, **more)


def held_out_mrr(result: Trained, corpus: Corpus) -> tuple[float, float]:
    """Return the MRR of a result on videos that it has never seen, and its chance."""
    found = validate(encode_pairs(Encoder(result.checkpoint, CPU), corpus), result.checkpoint.weights)
    return found.mrr, found.chance


class Stopped(Exception):
    """Stands for a kill between two epochs."""


def stop_after(count: int) -> Any:
    seen = []

    def progress(epoch: object) -> None:
        seen.append(epoch)
        if len(seen) > count:  # the state of this epoch is not saved yet: it is lost
            raise Stopped

    return progress


@dataclass(frozen=True)
class Spy(Objective):
    """Remember the batches that a run trains on."""

    audio: ClassVar[list[torch.Tensor]] = []
    video: ClassVar[list[torch.Tensor]] = []

    def __call__(self, model: Any, audio: Any, visual: Any, video: Any, *beside: Any) -> Any:
        Spy.audio.append(audio)
        Spy.video.append(video)
        return super().__call__(model, audio, visual, video, *beside)


@pytest.fixture(autouse=True)
def few_galleries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate on a few galleries: how it is done is asked here, test_validation.py asks how well."""
    monkeypatch.setattr("model.training.validation.GALLERIES", 4)


@pytest.fixture(autouse=True)
def fresh_spy() -> None:
    Spy.audio.clear()
    Spy.video.clear()


@pytest.mark.parametrize("recipe", [SMALL, SMALL_PUBLISHED], ids=lambda r: r.name)
def test_the_same_seed_gives_the_same_bytes(recipe: Recipe) -> None:
    """Whatever was drawn before, two runs with one seed have one fingerprint, and another seed another."""
    corpus, validation = planted_corpus(videos=6), planted_corpus(videos=3, seed=1)
    torch.manual_seed(1)
    one = trained(corpus, recipe, validation=validation).checkpoint.fingerprint
    torch.manual_seed(2)
    assert trained(corpus, recipe, validation=validation).checkpoint.fingerprint == one
    assert trained(corpus, recipe, seed=1, validation=validation).checkpoint.fingerprint != one


@pytest.mark.gpu
@pytest.mark.parametrize("shapes", [{}, PICTURES], ids=["vectors", "pictures"])
def test_the_same_seed_gives_the_same_bytes_on_a_gpu(monkeypatch: pytest.MonkeyPatch, shapes: dict[str, Any]) -> None:
    """Twice, and once more with the features on the host, where the GPU has no room for them."""
    corpus, validation = planted_corpus(videos=20, **shapes), planted_corpus(videos=4, seed=1, **shapes)
    found = set()
    try:
        for room in (2**40, 2**40, -(2**40)):
            monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_, room=room: (room, room))
            device = choose_device("cuda")
            result = train(corpus, SMALL, ("raw", "raw-1"), 0, device, validation)
            found.add(result.checkpoint.fingerprint)
    finally:
        torch.use_deterministic_algorithms(False)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("recipe", "stop"), [(SMALL, 1), (SMALL, 3), (SMALL_PUBLISHED, 2)], ids=["1", "3", "published-2"]
)
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path, recipe: Recipe, stop: int) -> None:
    """Stopped in any epoch and started again, it ends in the same weights, bit by bit, and the same figures."""
    corpus, validation = planted_corpus(videos=6), planted_corpus(videos=3, seed=1)
    recipe = replace(recipe, epochs=4)
    whole = trained(corpus, recipe, validation=validation)
    state = tmp_path / "run.state"
    with pytest.raises(Stopped):
        trained(corpus, recipe, validation=validation, state_path=state, progress=stop_after(stop))
    done: list[Any] = []
    resumed = trained(corpus, recipe, validation=validation, state_path=state, progress=done.append)
    assert [e.number for e in done] == list(range(stop, 4))
    before, after = (r.checkpoint.model.state_dict() for r in (whole, resumed))
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert resumed.checkpoint.fingerprint == whole.checkpoint.fingerprint
    assert resumed.epochs == whole.epochs


def test_a_run_over_folds_is_resumed_too(tmp_path: Path) -> None:
    """Stopped in the second fold and started again, it gives the checkpoint of the uninterrupted run."""
    corpus, recipe = planted_corpus(videos=6), replace(SMALL, epochs=2)
    whole = trained(corpus, recipe)
    state = tmp_path / "run.state"
    with pytest.raises(Stopped):
        trained(corpus, recipe, state_path=state, progress=stop_after(3))
    resumed = trained(corpus, recipe, state_path=state)
    assert resumed.checkpoint.fingerprint == whole.checkpoint.fingerprint


def test_a_final_run_is_resumed_too(tmp_path: Path) -> None:
    """Stopped in the run on all videos and started again, it repeats no saved epoch and gives the same bytes."""
    corpus, state = planted_corpus(videos=6, noise=1.0), tmp_path / "run.state"
    recipe = replace(SMALL, warm_start=False, held_epochs=0, learning_rate=0.02, epochs=3)  # each epoch is better
    told: list[Epoch] = []
    whole = trained(corpus, recipe, progress=told.append)
    before = len(told) - 1
    assert (told[before].run, told[before].number) == (3, 2)
    with pytest.raises(Stopped):
        trained(corpus, recipe, state_path=state, progress=stop_after(before))
    again: list[Epoch] = []
    resumed = trained(corpus, recipe, state_path=state, progress=again.append)
    assert [(e.run, e.number) for e in again] == [(3, 2)]
    assert resumed.checkpoint.fingerprint == whole.checkpoint.fingerprint


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    """Started once more, it gives the same checkpoint without an epoch."""
    corpus, validation = planted_corpus(videos=8), planted_corpus(videos=4, seed=1)
    state, done = tmp_path / "run.state", []
    first = trained(corpus, validation=validation, state_path=state)
    again = trained(corpus, validation=validation, state_path=state, progress=done.append)
    assert done == []
    assert again.checkpoint.fingerprint == first.checkpoint.fingerprint


@pytest.mark.parametrize("other", ["seed", "recipe", "footage"])
def test_the_state_of_another_run_is_refused(tmp_path: Path, other: str) -> None:
    """Another seed, recipe or other videos do not go on where this run was."""
    corpus, validation = planted_corpus(videos=8), planted_corpus(videos=4, seed=1)
    state = tmp_path / "run.state"
    trained(corpus, validation=validation, state_path=state)
    with pytest.raises(TrainingError, match="other footage, recipe or seed"):
        trained(
            planted_corpus(videos=8, seed=2) if other == "footage" else corpus,
            replace(SMALL, learning_rate=1e-4) if other == "recipe" else SMALL,
            seed=1 if other == "seed" else 0,
            validation=validation,
            state_path=state,
        )


def test_the_state_of_an_older_version_is_refused_by_its_recipe(tmp_path: Path) -> None:
    """A recipe with the flag `published` is another recipe: its run is not gone on with."""
    corpus, validation = planted_corpus(videos=6), planted_corpus(videos=3, seed=1)
    recipe, path = replace(SMALL, epochs=1), tmp_path / "run.state.0"
    trained(corpus, recipe, validation=validation, state_path=tmp_path / "run.state")
    state = TrainingState.load(path)
    state.facts["run"]["recipe"]["objective"]["published"] = False
    state.save(path)
    with pytest.raises(TrainingError, match="other footage, recipe or seed"):
        trained(corpus, recipe, validation=validation, state_path=tmp_path / "run.state")


def test_epochs_say_which_run_they_belong_to(tmp_path: Path) -> None:
    """Also where a state says nothing of it; a training is done after its last epoch, however short the last run."""
    told: list[Epoch] = []
    with pytest.raises(Stopped):
        trained(planted_corpus(videos=6), SMALL, state_path=tmp_path / "s", progress=stop_after(6))
    for path in tmp_path.glob("s.*"):
        state = TrainingState.load(path)
        for epoch in state.facts["epochs"]:
            del epoch["run"], epoch["runs"]
        state.save(path)
    result = trained(planted_corpus(videos=6), SMALL, state_path=tmp_path / "s", progress=told.append)
    assert (told[0].run, told[0].number) == (1, 2)
    assert {(e.run, e.runs, e.of) for e in told if e.run < 3} == {(1, 4, 4), (2, 4, 4)}
    assert [e.number + 1 for e in told if e.run == 3] == list(range(1, result.checkpoint.training["epochs"] + 1))
    assert (told[-1].run, told[-1].done) == (3, 1.0)
    assert (result.epochs[0].run, result.epochs[0].runs) == (0, 4)


def test_a_spoilt_state_is_refused(tmp_path: Path) -> None:
    """A state cut short, empty, or tensors without facts are a TrainingError that says how to start afresh."""
    corpus, validation = planted_corpus(videos=8), planted_corpus(videos=4, seed=1)
    state = tmp_path / "run.state"
    trained(corpus, replace(SMALL, epochs=1), validation=validation, state_path=state)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for content in (whole[:-100], b"", b"x" * 100, save({"model/weight": torch.zeros(2)})):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match="start afresh"):
            trained(corpus, replace(SMALL, epochs=1), validation=validation, state_path=state)


@pytest.mark.parametrize("warm_start", [True, False])
def test_a_planted_correlation_is_learnt(warm_start: bool) -> None:
    """On new videos the own picture is found far above chance, with CCA as the start and without it."""
    recipe = replace(SMALL, warm_start=warm_start, held_epochs=int(warm_start), epochs=8, learning_rate=5e-3)
    result = trained(planted_corpus(videos=60), recipe, validation=planted_corpus(videos=15, seed=1))
    mrr, chance = held_out_mrr(result, planted_corpus(videos=20, seed=2))
    assert mrr > 2.5 * chance


def test_where_nothing_is_planted_nothing_is_found() -> None:
    """With the pictures of other videos, new videos are at chance: the test above measures learning."""
    corpus = planted_corpus(videos=40)
    shuffled = replace(corpus, visual=np.random.default_rng(0).permutation(corpus.visual))
    validation = planted_corpus(videos=10, seed=1)
    validation = replace(validation, visual=np.random.default_rng(1).permutation(validation.visual))
    new = planted_corpus(videos=30, seed=2)
    new = replace(new, visual=np.random.default_rng(2).permutation(new.visual))
    mrr, chance = held_out_mrr(trained(shuffled, validation=validation), new)
    assert mrr < 1.7 * chance


def test_the_published_recipe_lowers_its_loss() -> None:
    """At a rate that moves within a few epochs, the loss sinks: the path of the paper's recipe runs."""
    recipe = replace(PUBLISHED, learning_rate=1e-3, epochs=3, kl_warm_up=(0, 0.0))
    result = trained(planted_corpus(videos=20), recipe, validation=planted_corpus(videos=8, seed=1))
    losses = [e.terms["loss"] for e in result.epochs]
    assert losses[-1] < 0.9 * losses[0]
    assert result.checkpoint.model.architecture.paper_widths
    assert result.checkpoint.model.architecture.latent == 100


def test_pictures_and_spectrograms_are_trained_end_to_end() -> None:
    """The convolutional path runs, lowers its loss and gives finite latents."""
    corpus, validation = planted_corpus(videos=12, **PICTURES), planted_corpus(videos=4, seed=1, **PICTURES)
    result = trained(corpus, replace(SMALL, batch=8, epochs=3), validation=validation)
    reconstructions = [e.terms["reconstruction"] for e in result.epochs]
    assert reconstructions[-1] < reconstructions[0]
    assert Encoder(result.checkpoint, CPU).latents("visual", validation.visual).is_finite()


def test_a_few_videos_are_each_held_out_once() -> None:
    """Without a validation set every video is held out in one fold, and the last model learns from all."""
    corpus = planted_corpus(videos=10)
    result = trained(corpus)
    assert sorted(i for part in result.held_out for i in part.video_ids) == sorted(corpus.video_ids)
    assert sorted(result.checkpoint.training["trained_on"]) == sorted(corpus.video_ids)
    assert result.validation.mrr > result.validation.chance


def test_silent_and_unseen_seconds_never_train() -> None:
    """Whatever lies in the rows of a missing modality, the checkpoint has the same bytes, and no batch holds them."""
    corpus, validation = planted_corpus(videos=10), planted_corpus(videos=5, seed=1)
    corpus = replace(corpus, heard=corpus.start_s != 2, seen=corpus.start_s != 4)
    audio, visual = corpus.audio.copy(), corpus.visual.copy()
    audio[~corpus.heard], visual[~corpus.seen] = np.nan, np.inf
    recipe = replace(SMALL, objective=Spy())
    one = trained(corpus, recipe, validation=validation)
    assert sum(len(batch) for batch in Spy.audio) == recipe.epochs * corpus.paired.sum()
    other = trained(replace(corpus, audio=audio, visual=visual), recipe, validation=validation)
    assert other.checkpoint.fingerprint == one.checkpoint.fingerprint


def test_labels_and_events_never_train() -> None:
    """Training is label-free: with labels and events the checkpoint has the same bytes."""
    corpus, validation = planted_corpus(videos=8), planted_corpus(videos=4, seed=1)
    labelled = replace(corpus, label=np.arange(8) % 2, classes=("a", "b"), event=np.arange(len(corpus.event)) % 3 == 0)
    one, other = (trained(c, validation=validation).checkpoint.fingerprint for c in (corpus, labelled))
    assert one == other


def test_normalization_comes_from_the_training_split_alone() -> None:
    """Its statistics are numpy's over the training videos, however far off the held-out ones lie."""
    corpus, validation = planted_corpus(videos=10), planted_corpus(videos=5, seed=1)
    far = replace(validation, audio=validation.audio * 50 + 1000, visual=validation.visual - 1000)
    for held_out in (validation, far):
        found = trained(corpus, validation=held_out).checkpoint.normalization
        np.testing.assert_allclose(found.audio_mean, corpus.audio.mean(0), atol=1e-5)
        np.testing.assert_allclose(found.visual_mean, corpus.visual.mean(0), atol=1e-5)
        expected = np.sqrt(corpus.audio.astype(np.float64).var(0).mean())
        assert float(found.audio_scale) == pytest.approx(expected)


def test_held_out_videos_choose_but_do_not_teach() -> None:
    """With other held-out videos the weights of the first epoch are the same."""
    corpus, recipe = planted_corpus(videos=10), replace(SMALL, epochs=1)
    states = [
        trained(corpus, recipe, validation=planted_corpus(videos=5, seed=s)).checkpoint.model.state_dict()
        for s in (1, 2)
    ]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_constant_columns_and_zero_rows_are_fine() -> None:
    """A dead feature, a dead modality and rows of zeros neither stop the run nor make NaN."""
    corpus = planted_corpus(videos=8)
    audio = corpus.audio.copy()
    audio[:, 3], audio[::5] = 255, 0
    for visual in (corpus.visual, np.zeros_like(corpus.visual)):
        changed = replace(corpus, audio=audio, visual=visual)
        latents = Encoder(trained(changed, validation=planted_corpus(videos=3, seed=1)).checkpoint, CPU)
        assert latents.latents("audio", audio).is_finite()
        assert latents.latents("visual", visual).is_finite()


def test_a_mini_batch_epoch_takes_every_pair_once_in_a_new_order() -> None:
    """Batches mix videos, and the next epoch shuffles otherwise."""
    corpus = planted_corpus(videos=10)
    recipe = replace(SMALL, epochs=2, batch=20, objective=Spy())
    trained(corpus, recipe, validation=planted_corpus(videos=5, seed=1))
    assert [len(b) for b in Spy.video] == [20] * 6
    first, second = torch.cat(Spy.audio[:3]), torch.cat(Spy.audio[3:])
    assert min(len(set(b.tolist())) for b in Spy.video) > 1
    assert len({row.numpy().tobytes() for row in first}) == 60
    assert {r.numpy().tobytes() for r in first} == {r.numpy().tobytes() for r in second}
    assert not torch.equal(first, second)


def test_a_step_of_whole_videos_takes_every_second_of_them() -> None:
    """About `batch` seconds a step, each video in one step of an epoch, and other company in the next."""
    corpus = planted_corpus(videos=10)
    recipe = replace(SMALL, epochs=2, batch=20, whole_videos=True, objective=Spy())
    trained(corpus, recipe, validation=planted_corpus(videos=5, seed=1))
    steps = [sorted(b.tolist()) for b in Spy.video]
    assert all(step.count(v) == 6 for step in steps for v in step)
    assert sorted(len(step) for step in steps[:3]) == [18, 18, 24]
    for epoch in (steps[:3], steps[3:]):
        assert sorted(v for step in epoch for v in step) == sorted(corpus.video.tolist())
    assert {tuple(s) for s in steps[:3]} != {tuple(s) for s in steps[3:]}


def test_a_step_of_whole_videos_takes_one_at_least() -> None:
    """Where a video is longer than a batch."""
    recipe = replace(SMALL, epochs=1, batch=2, whole_videos=True, objective=Spy())
    trained(planted_corpus(videos=7), recipe, validation=planted_corpus(videos=3, seed=1))
    assert sorted(set(b.tolist()).pop() for b in Spy.video) == list(range(7))


def test_the_published_recipe_steps_video_by_video() -> None:
    """One video a step, in their order, never shuffled."""
    recipe = replace(PUBLISHED, epochs=2, objective=replace(Spy(), kl=0.01, wasserstein=1.0, sum_kl=True))
    trained(planted_corpus(videos=7), recipe, validation=planted_corpus(videos=3, seed=1))
    assert [set(b.tolist()) for b in Spy.video] == [{v} for v in [*range(7), *range(7)]]


def test_the_kl_weight_warms_up() -> None:
    """The first epochs weigh KL by the warm-up's weight, later ones by the objective's: the loss adds up so."""
    result = trained(planted_corpus(videos=8), SMALL_PUBLISHED, validation=planted_corpus(videos=4, seed=1))
    for epoch, weight in zip(result.epochs, (0.1, 0.1, 0.01), strict=True):
        t = epoch.terms
        expected = t["reconstruction"] + weight * (t["kl_audio"] + t["kl_visual"]) + t["wasserstein"]
        assert t["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_run_stops_when_nothing_gets_better() -> None:
    """With a rate of zero the first epoch stays the best, and patience ends the run."""
    recipe = replace(SMALL, epochs=30, patience=3, learning_rate=0.0, weight_decay=0.0)
    result = trained(planted_corpus(videos=8), recipe, validation=planted_corpus(videos=4, seed=1))
    assert len(result.epochs) == 4


def test_a_collapsed_posterior_is_warned_about() -> None:
    """Under a huge KL weight the latents carry nothing, and the report says so; under a small one not."""
    corpus, validation = planted_corpus(videos=100), planted_corpus(videos=5, seed=1)
    recipe = replace(SMALL, spherical=False, warm_start=False, held_epochs=0, dropout=0.0, epochs=1)
    for kl, warned in ((1000.0, 2), (1e-3, 0)):
        alone = Objective(kl=kl, wasserstein=0.0, correlation=0.0, contrast=0.0)
        hasty = replace(recipe, batch=3, learning_rate=5e-3, objective=alone)
        warnings = [w for w in trained(corpus, hasty, validation=validation).warnings if "posterior collapse" in w]
        assert len(warnings) == warned
        assert all("lower the KL weight" in w for w in warnings)


def test_a_diverging_run_says_so() -> None:
    """A loss that is no number ends the run with advice instead of a checkpoint."""
    with pytest.raises(TrainingError, match="diverged"):
        trained(planted_corpus(8), replace(SMALL, learning_rate=1e6, epochs=30))


def test_held_out_videos_need_pairs() -> None:
    """Without a second of both modalities in the held-out videos there is nothing to judge by."""
    corpus = planted_corpus(8)
    deaf = replace(corpus, heard=np.zeros_like(corpus.heard))
    with pytest.raises(TrainingError, match="judge"):
        trained(corpus, validation=deaf)


def test_too_little_footage_is_said() -> None:
    """Five videos, or videos that never have sound and picture at once, cannot be learnt from."""
    with pytest.raises(TrainingError, match=r"5 videos .*given, at least 6 expected; add footage"):
        trained(planted_corpus(videos=5))
    corpus = planted_corpus(videos=10)
    apart = replace(corpus, heard=corpus.start_s < 3, seen=corpus.start_s >= 3)
    with pytest.raises(TrainingError, match="0 videos"):
        trained(apart)
    with pytest.raises(TrainingError, match="no second with both"):
        trained(apart, validation=corpus)


def test_the_report_says_how_the_checkpoint_was_made() -> None:
    """Seed, recipe, footage and held-out figures go with it."""
    corpus = planted_corpus(videos=10)
    result = trained(corpus, seed=7)
    report = result.checkpoint.training
    assert (report["seed"], report["recipe"]["name"], report["videos"], report["pairs"]) == (7, "default", 10, 60)
    assert report["validation"]["mrr"] == result.validation.mrr
    assert (result.checkpoint.front_end, result.checkpoint.front_end_identity) == ("raw", "raw-1")


def test_recipes_go_by_name() -> None:
    """An unknown name is refused with those that there are."""
    assert (recipe_named("default"), recipe_named("published")) == (DEFAULT, PUBLISHED)
    with pytest.raises(TrainingError, match=r"'fast' given, one of default, published expected"):
        recipe_named("fast")
