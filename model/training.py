"""Train an MS-VAE on pairs of one second, without labels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.checkpoint import Checkpoint
from model.corpus import Corpus, hold_out
from model.correlation import correlate
from model.encoder import Encoder
from model.errors import TrainingError
from model.msvae import MODALITIES, MSVAE, Architecture, VectorEncoder
from model.normalization import Normalization
from model.objective import Terms
from model.recipe import Recipe
from model.training_state import TrainingState
from model.validation import choose_temperature, choose_weights, encode_pairs

ACTIVE_VARIANCE = 0.01  # a latent unit is active if its mean varies more than this over the data
FEWEST_ACTIVE_SHARE = 0.1
HELD_OUT = 0.15  # of the videos, for every choice that is made


@dataclass(frozen=True)
class Epoch:
    """Report an epoch: the loss terms (means over steps) and the held-out MRR of the own video."""

    number: int
    of: int
    terms: dict[str, float]
    validation_mrr: float
    best: bool


@dataclass(frozen=True)
class Trained:
    """Hold the checkpoint, how the run went, and what to warn about."""

    checkpoint: Checkpoint
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
    """Train on the seconds of `corpus` that have both modalities.

    `front_end`: name and identity, for the checkpoint. Without `validation`, a share of the videos is held
    out. With `state_path`, every epoch is saved there, and a run that was stopped goes on where it was.

    Raises:
        TrainingError: too few videos, or a saved state of another run.
    """
    train_split, held_out = (corpus, validation) if validation else hold_out(corpus, HELD_OUT, seed)
    torch.manual_seed(seed)
    run = _Run(train_split, held_out, recipe, front_end, seed, device)
    done = run.resume(state_path) if state_path else []
    for number in range(len(done), recipe.epochs):
        if done and number - max(e.number for e in done if e.best) > recipe.patience:
            break
        done.append(run.epoch(number))
        progress(done[-1])
        if state_path:
            run.save(state_path, done)
    return run.finish(done)


def held_out_videos(corpus: Corpus, seed: int, share: float = HELD_OUT) -> Corpus:
    """Return the videos that a run with this seed holds out."""
    return hold_out(corpus, share, seed)[1]


class _Run:
    """One training run: the network, its optimizer and the best weights so far."""

    def __init__(
        self,
        corpus: Corpus,
        held_out: Corpus,
        recipe: Recipe,
        front_end: tuple[str, str],
        seed: int,
        device: torch.device,
    ) -> None:
        self.recipe, self.front_end, self.seed, self.device = recipe, front_end, seed, device
        self.corpus, self.held_out = corpus, held_out
        self.pairs = np.flatnonzero(corpus.paired)
        if not len(self.pairs):
            raise TrainingError(
                "no second with both sound and picture given; such seconds are what is learnt from"
            )
        architecture = Architecture(
            corpus.audio.shape[1:],
            corpus.visual.shape[1:],
            recipe.latent,
            recipe.hidden,
            recipe.dropout,
            recipe.spherical,
            recipe.objective.published,
        )
        self.normalization = Normalization.fit(corpus).to(device)
        self.model = MSVAE(architecture).to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        if recipe.warm_start:
            self._warm_start()
        self.best = copy.deepcopy(self.model.state_dict())
        self.best_mrr = -1.0

    def _warm_start(self) -> None:
        """Let the linear parts of vector encoders begin at the CCA of the training pairs."""
        encoders = {m: self.model.encoders[m] for m in MODALITIES}
        if not all(isinstance(e, VectorEncoder) for e in encoders.values()):
            return
        standard = {
            m: self.normalization(m, torch.from_numpy(getattr(self.corpus, m)[self.pairs]).to(self.device))
            .cpu()
            .numpy()
            for m in MODALITIES
        }
        projections = correlate(standard["audio"], standard["visual"], self.recipe.latent)
        for modality, projection in zip(MODALITIES, projections, strict=True):
            encoders[modality].start(projection)

    def epoch(self, number: int) -> Epoch:
        """Go through the pairs once, then look at the held-out videos."""
        torch.manual_seed(self.seed * 100_003 + number)  # by epoch, so that a resumed run repeats itself
        self._set_learning_rate(number)
        self.model.train()
        totals: list[list[float]] = []
        for audio, visual in self._batches(number):
            terms = self._objective(number)(self.model, audio, visual)
            self.optimizer.zero_grad(set_to_none=True)
            terms.loss.backward()
            self.optimizer.step()
            totals.append([float(t.detach()) for t in terms])
        means = dict(zip(Terms._fields, np.mean(totals, axis=0).tolist(), strict=True))
        _, found = choose_weights(encode_pairs(self._encoder(), self.held_out))
        best = found.mrr > self.best_mrr
        if best:
            self.best, self.best_mrr = copy.deepcopy(self.model.state_dict()), found.mrr
        return Epoch(number, self.recipe.epochs, means, found.mrr, best)

    def finish(self, epochs: list[Epoch]) -> Trained:
        """Take the best weights, choose what is left to choose on the held-out videos, and report."""
        self.model.load_state_dict(self.best)
        pairs = encode_pairs(self._encoder(), self.held_out)
        weights, validation = choose_weights(pairs)
        collapse, warnings = self._collapse()
        report = {
            "seed": self.seed,
            "recipe": asdict(self.recipe),
            "videos": len(self.corpus),
            "pairs": len(self.pairs),
            "epochs": len(epochs),
            "validation": asdict(validation),
            "posterior": collapse,
        }
        checkpoint = Checkpoint(
            self.model.eval().cpu(),
            self.normalization.cpu(),
            *self.front_end,
            weights,
            choose_temperature(pairs, weights),
            report,
        )
        return Trained(checkpoint, tuple(epochs), warnings)

    def save(self, path: Path, epochs: list[Epoch]) -> None:
        """Write all that `resume` needs."""
        state = TrainingState(
            self.model.state_dict(),
            self.best,
            self.optimizer.state_dict()["state"],
            {"run": self._identity(), "best_mrr": self.best_mrr, "epochs": [asdict(e) for e in epochs]},
        )
        state.save(path)

    def resume(self, path: Path) -> list[Epoch]:
        """Return the epochs that a stopped run had done; none where there is no state."""
        if not path.exists():
            return []
        state = TrainingState.load(path)
        if state.facts["run"] != self._identity():
            raise TrainingError(
                f"{path} holds a run with other footage, recipe or seed; finish that one, or remove the file"
            )
        self.model.load_state_dict(state.model)
        self.best, self.best_mrr = state.best, state.facts["best_mrr"]
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state.optimizer, "param_groups": groups})
        return [Epoch(**e) for e in state.facts["epochs"]]

    def _identity(self) -> dict[str, Any]:
        recipe = asdict(self.recipe)
        recipe["kl_warm_up"] = list(self.recipe.kl_warm_up)
        return {
            "recipe": recipe,
            "seed": self.seed,
            "front_end": self.front_end[1],
            "videos": list(self.corpus.video_ids),
            "held_out": list(self.held_out.video_ids),
        }

    def _batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        if self.recipe.one_video_steps:
            video = self.corpus.video[self.pairs]
            batches = [self.pairs[video == v] for v in np.unique(video)]
        else:
            order = np.random.default_rng((self.seed, number)).permutation(self.pairs)
            count = max(1, round(len(order) / self.recipe.batch))
            batches = np.array_split(order, count)  # even parts: no batch of a few pairs
        for rows in batches:
            arrays = {"audio": self.corpus.audio[rows], "visual": self.corpus.visual[rows]}
            yield tuple(  # type: ignore[misc]
                self.normalization(m, torch.from_numpy(arrays[m]).to(self.device)) for m in MODALITIES
            )

    def _objective(self, number: int) -> Any:
        epochs, kl = self.recipe.kl_warm_up
        objective = self.recipe.objective
        return type(objective)(**(asdict(objective) | {"kl": kl})) if number < epochs else objective

    def _set_learning_rate(self, number: int) -> None:
        """Cosine from the recipe's rate to a twentieth of it; the published recipe keeps it constant."""
        if self.recipe.objective.published:
            return
        share = number / max(1, self.recipe.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * share)))

    def _encoder(self) -> Encoder:
        return Encoder(Checkpoint(self.model, self.normalization, *self.front_end), self.device)

    def _collapse(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return active units and KL per modality on the held-out videos, and warnings of collapse."""
        facts: dict[str, Any] = {}
        warnings = []
        encoder = self._encoder()
        pairs = encode_pairs(encoder, self.held_out)
        for modality, latents in (("audio", pairs.audio), ("visual", pairs.visual)):
            active = int((latents.mu.var(axis=0) > ACTIVE_VARIANCE).sum())
            variance = latents.sigma.astype(np.float64) ** 2
            kl = 0.5 * (latents.mu.astype(np.float64) ** 2 + variance - 1 - np.log(variance)).sum(1).mean()
            facts[modality] = {"active_units": active, "of": self.recipe.latent, "kl_nats": float(kl)}
            if active < FEWEST_ACTIVE_SHARE * self.recipe.latent:
                warnings.append(
                    f"posterior collapse: {active} of {self.recipe.latent} latent units of the {modality} encoder "
                    f"are active (KL {kl:.3f} nats); lower the KL weight"
                )
        return facts, tuple(warnings)
