"""One run of training: the network, its optimizer, its epochs, and the best weights so far."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from model.data.corpus import Corpus
from model.data.temporal_context import SHARP, TemporalContext
from model.errors import TrainingError
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.correlation import correlate
from model.network.encoder import Encoder
from model.network.msvae import MSVAE, Architecture, VectorEncoder
from model.network.normalization import Normalization
from model.training.augmentation import mirror_and_shift
from model.training.batches import Batches
from model.training.discriminator import Discriminator
from model.training.group import agrees, is_first, of_first, step_of
from model.training.objective import Terms
from model.training.recipe import Recipe, completed
from model.training.start import HIDDEN, LATENT, Start
from model.training.state import TrainingState
from model.training.teacher import Teacher
from model.training.validation import PairedLatents, encode_pairs, is_better, taken, validate_shares


@dataclass(frozen=True)
class Epoch:
    """Report epoch `number` of `of` in run `run` of `runs`, both counted from 0.

    `terms`: the terms of the loss, means over steps. `mrr`: the held-out MRR for each of SHARES, empty without
    held-out videos.
    """

    run: int
    runs: int
    number: int
    of: int
    terms: dict[str, float]
    mrr: tuple[float, ...]

    @property
    def best_mrr(self) -> float:
        """Return the figure of the share that is taken."""
        return taken(self.mrr)

    @property
    def done(self) -> float:
        """Return how much of the training is done after this epoch, 0..1; each run has the same share."""
        return (self.run + (self.number + 1) / self.of) / self.runs


class Run:
    """Train on the seconds of a corpus that have both modalities, and validate on held-out videos.

    `number`: (run, runs) as its epochs report them. `start`: where the encoders begin, and the footage's share in it;
    without it a warm start is at CCA. `context`: that in which held-out seconds are judged; pairs are learnt without.
    """

    def __init__(
        self,
        corpus: Corpus,
        held_out: Corpus | None,
        recipe: Recipe,
        front_end: tuple[str, str],
        seed: int,
        device: torch.device,
        number: tuple[int, int] = (0, 1),
        start: tuple[Start, float] | None = None,
        context: TemporalContext = SHARP,
    ) -> None:
        self.corpus, self.held_out, self.number = corpus, held_out, number
        self.recipe, self.front_end, self.seed, self.device = recipe, front_end, seed, device
        self.pairs = np.flatnonzero(corpus.paired)
        if not len(self.pairs):
            raise TrainingError("no second with both sound and picture given; from such seconds it is learnt")
        if held_out is not None and not held_out.paired.any():
            raise TrainingError("held-out videos without a second of both sound and picture given: nothing to judge by")
        self.context, self.anchored = context, start is not None
        torch.manual_seed(seed)
        self.normalization = Normalization.fit(corpus)
        architecture = architecture_of(corpus, recipe)
        if start is not None:
            architecture = replace(architecture, latent=LATENT, hidden=HIDDEN)
        self.model = MSVAE(architecture)
        self.vector_encoders = [e for e in self.model.encoders.values() if isinstance(e, VectorEncoder)]
        self.teacher: Teacher | None = None
        if recipe.warm_start and len(self.vector_encoders) == len(MODALITIES):
            if start is None:
                self._warm_start()
            else:
                start[0].apply(self.model, self.normalization, start[1], corpus)
            teacher = Teacher(architecture.latent, recipe.groups, len(corpus))
            self.teacher = teacher.to(device) if len(teacher) else None
        self.discriminator: Discriminator | None = None
        if recipe.objective.adversarial:
            self.discriminator = Discriminator(architecture.latent).to(device)
        self.model, self.normalization = self.model.to(device), self.normalization.to(device)
        beside = {"teacher": self.teacher, "discriminator": self.discriminator}
        self.beside = nn.ModuleDict({name: module for name, module in beside.items() if module is not None})
        self.optimizer = torch.optim.AdamW(
            [*self.model.parameters(), *self.beside.parameters()],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=device.type == "cuda" or None,  # one kernel for all weights; on the CPU it would round otherwise
        )
        self.best = self.untrained = copy.deepcopy(self.model.state_dict())
        self.epochs: list[Epoch] = []
        self.before: tuple[float, ...] = ()  # the figures of the start, which may be the best there is
        if start is not None and held_out is not None:
            self.before = of_first(tuple(v.mrr for v in validate_shares(self.encoded(held_out))))

    def train(
        self,
        epochs: int,
        patience: int | None,
        state_path: Path | None = None,
        progress: Callable[[Epoch], None] = lambda _: None,
    ) -> None:
        """Train up to `epochs` epochs; stop when `patience` epochs in a row brought no better figure.

        With `state_path` every epoch is saved there, and a run that was stopped continues there.
        """
        if state_path:
            self._resume(state_path)
            if not agrees(len(self.epochs)):
                raise TrainingError(
                    f"{state_path} given, which the machines that train together do not all see alike: put it where "
                    "all of them see it"
                )
        count, batches = min(epochs, self.most_epochs), Batches(self.corpus, self.pairs, self.device)
        for number in range(len(self.epochs), count):
            if patience is not None and self.epochs and number - self.best_epoch > patience:
                break
            self.learn(number, count, batches)
            progress(self.epochs[-1])
            if state_path and is_first():
                self._save(state_path)

    @property
    def most_epochs(self) -> int:
        """Return how many epochs there are at most."""
        return self.recipe.taught_epochs if self.teacher else self.recipe.epochs

    @property
    def best_epoch(self) -> int:
        """Return the number of the epoch with the best held-out figure, or -1: the start at a prior.

        An epoch must be clearly better than such a start.
        It is the last epoch without held-out videos, and with a teacher: the model goes on learning groups of videos
        after the held-out figure has stopped rising.
        """
        if self.held_out is None or self.teacher:
            return len(self.epochs) - 1
        best = max(range(len(self.epochs)), key=lambda n: (self.epochs[n].best_mrr, -n))
        return -1 if self.before and not is_better(self.epochs[best].best_mrr, taken(self.before)) else best

    def checkpoint(self) -> Checkpoint:
        """Return the network as it is now."""
        return Checkpoint(self.model, self.normalization, *self.front_end, context=self.context)

    def take_best(self) -> None:
        """Go back to the weights of the best epoch."""
        self.model.load_state_dict(self.best)

    def take_untrained(self) -> None:
        """Go back to the weights before the first epoch."""
        self.model.load_state_dict(self.untrained)

    def encoder(self) -> Encoder:
        """Return an encoder with the network as it is now."""
        return Encoder(self.checkpoint(), self.device)

    def sharp(self) -> Encoder:
        """Return an encoder that takes each second alone, as localization does."""
        return Encoder(replace(self.checkpoint(), context=SHARP), self.device)

    def encoded(self, corpus: Corpus) -> PairedLatents:
        """Encode the paired seconds of a corpus, or a random part of them, with the network as it is now."""
        return encode_pairs(self.encoder(), corpus)

    def learn(self, number: int, of: int, batches: Batches) -> None:
        """Train epoch `number` of `of` on the pairs, and judge it; the host waits for the device at its end alone."""
        torch.manual_seed(self.seed * 100_003 + number)  # by epoch, so that a resumed run gives the same weights
        self._set_learning_rate(number)
        for encoder in self.vector_encoders:
            held = self.teacher is None and (self.anchored or number < self.recipe.held_epochs)
            encoder.hold_mean(held, with_body=self.anchored)
        if self.teacher and number in self.recipe.regroup_epochs:
            self._regroup(self.teacher)
        objective = replace(self.recipe.objective, kl=self.recipe.kl_of(number))
        self.model.train()
        step = step_of(self.model, self.teacher, self.discriminator)
        terms_of_steps: list[Tensor] = []
        for audio, visual, video in batches.of(self._places(number)):
            terms: Terms = step(objective, *self._inputs(audio, visual), video)
            self.optimizer.zero_grad(set_to_none=True)
            terms.loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            terms_of_steps.append(torch.stack([t.detach() for t in terms]))
        means = torch.stack(terms_of_steps).double().cpu().numpy().mean(axis=0).tolist()
        found = validate_shares(self.encoded(self.held_out)) if self.held_out else []
        terms_by_name = dict(zip(Terms._fields, means, strict=True))
        self.epochs.append(of_first(Epoch(*self.number, number, of, terms_by_name, tuple(v.mrr for v in found))))
        if self.best_epoch == number:
            self.best = copy.deepcopy(self.model.state_dict())

    def _regroup(self, teacher: Teacher) -> None:
        """Group the training videos by the means that the network now gives their seconds."""
        encoder = self.encoder()
        total = np.zeros((len(self.corpus), self.model.architecture.latent))
        having = {"audio": self.corpus.heard, "visual": self.corpus.seen}
        for modality in MODALITIES:
            rows = np.flatnonzero(having[modality])
            means = encoder.means(modality, getattr(self.corpus, modality)[rows])
            np.add.at(total, self.corpus.video[rows], means)
        teacher.regroup(total, self.seed)

    def _warm_start(self) -> None:
        """Start the encoders from the CCA of the training pairs, in standard units."""
        standard = [self.normalization(m, torch.from_numpy(getattr(self.corpus, m)[self.pairs])) for m in MODALITIES]
        projections = correlate(standard[0].numpy(), standard[1].numpy(), self.recipe.latent)
        for encoder, projection in zip(self.vector_encoders, projections, strict=True):
            encoder.start(projection)

    def _places(self, number: int) -> list[Int64[np.ndarray, "_"]]:
        """Return the batches of an epoch: places among the pairs."""
        video, rng = self.corpus.video[self.pairs], np.random.default_rng((self.seed, number))
        count = max(1, round(len(self.pairs) / self.recipe.batch))
        if self.recipe.one_video_steps:
            return [np.flatnonzero(video == v) for v in np.unique(video)]
        if self.recipe.whole_videos:
            order = rng.permutation(np.unique(video))
            return [np.flatnonzero(np.isin(video, part)) for part in np.array_split(order, min(count, len(order)))]
        return np.array_split(rng.permutation(len(self.pairs)), count)  # even parts: no batch of a few pairs

    def _inputs(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Return features as the network takes them: pictures augmented, all in standard units."""
        if self.recipe.augment and visual.ndim == 4:
            visual = mirror_and_shift(visual)
        return self.normalization("audio", audio), self.normalization("visual", visual)

    def _set_learning_rate(self, number: int) -> None:
        """Follow a cosine from the recipe's learning rate down to its `lowest_rate`."""
        cosine, lowest = 0.5 * (1 + np.cos(np.pi * number / self.most_epochs)), self.recipe.lowest_rate
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * (lowest + (1 - lowest) * cosine)

    def _identity(self) -> dict[str, Any]:
        facts = {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "front_end": self.front_end[1],
            "videos": self.corpus.video_ids,
            "held_out": self.held_out.video_ids if self.held_out else (),
        }
        return {name: _jsonable(value) for name, value in facts.items()}

    def _save(self, path: Path) -> None:
        facts = {"run": self._identity(), "epochs": [asdict(e) for e in self.epochs]}
        state = self.optimizer.state_dict()["state"]
        TrainingState(self.model.state_dict() | self.beside.state_dict(), self.best, state, facts).save(path)

    def _resume(self, path: Path) -> None:
        if not path.exists():
            return
        state = TrainingState.load(path)
        saved = state.facts["run"]
        if saved | {"recipe": _jsonable(completed(saved["recipe"]))} != self._identity():
            raise TrainingError(
                f"{path} holds a run with other footage, recipe or seed; finish that one, or remove the file"
            )
        beside = self.beside.state_dict()
        self.model.load_state_dict({k: v for k, v in state.model.items() if k not in beside})
        self.beside.load_state_dict({k: v for k, v in state.model.items() if k in beside})
        self.best = state.best
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state.optimizer, "param_groups": groups})
        run, runs = self.number
        self.epochs = [Epoch(**(e | {"run": run, "runs": runs, "mrr": tuple(e["mrr"])})) for e in state.facts["epochs"]]


def architecture_of(corpus: Corpus, recipe: Recipe) -> Architecture:
    """Return the network that a recipe trains on features of these shapes."""
    return Architecture(
        audio_shape=corpus.audio.shape[1:],
        visual_shape=corpus.visual.shape[1:],
        latent=recipe.latent,
        hidden=recipe.hidden,
        dropout=recipe.dropout,
        spherical=recipe.spherical,
        paper_widths=recipe.paper_widths,
    )


def _jsonable(value: Any) -> Any:
    """Return a value as it comes back from JSON: tuples as lists."""
    if isinstance(value, dict):
        return {k: _jsonable(v) for k, v in value.items()}
    return [_jsonable(v) for v in value] if isinstance(value, tuple | list) else value
