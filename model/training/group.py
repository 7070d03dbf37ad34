"""Several processes train one model together (torch.distributed): each computes a share of every batch's rows.

The loss is that of the whole batch, terms between its rows included: each process encodes and decodes its own rows,
gathers what the others made of theirs, and computes the loss of all. On the way back each process sums the gradients
of its rows over all processes, which are equal; DistributedDataParallel takes the mean over processes, so that the
gradient is that of one process. Each process draws random numbers for the whole batch, from the same seed. So only
rounding differs from a training in one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, distributed, nn
from torch.distributed._functional_collectives import all_gather_single
from torch.nn.parallel import DistributedDataParallel

from model.modality import Modality
from model.network.msvae import MSVAE, Architecture, Posterior
from model.training.discriminator import Discriminator
from model.training.objective import Objective, Terms
from model.training.teacher import Teacher

T = TypeVar("T")


def is_shared() -> bool:
    """Say whether this process trains together with others."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def is_first() -> bool:
    """Say whether this process is the one that writes."""
    return not is_shared() or distributed.get_rank() == 0


def of_first(value: T) -> T:
    """Return the first process's value: what is decided by it must not differ by rounding between machines."""
    if not is_shared():
        return value
    values: list[Any] = [value]
    distributed.broadcast_object_list(values)
    found: T = values[0]
    return found


def agrees(value: int) -> bool:
    """Say whether all processes have the same value."""
    if not is_shared():
        return True
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return len(set(values)) == 1


class Rows:
    """Be a network that computes this process's rows of a batch of `count`, and gathers those of the others."""

    def __init__(self, model: MSVAE, count: int) -> None:
        each = -(-count // distributed.get_world_size())  # as many in each process: behind the last, it comes again
        first = distributed.get_rank() * each
        self._model, self._count = model, count
        self.own: Int64[Tensor, "own"] = torch.arange(first, first + each).clamp(max=count - 1)

    @property
    def architecture(self) -> Architecture:
        """Return the network's architecture."""
        return self._model.architecture

    def encode(self, modality: Modality, features: Float[Tensor, "batch *shape"]) -> Posterior:
        """Return the posteriors of all rows."""
        with self._dropping_out():
            heads = self._model.heads(modality, features[self.own])
        return self._model.posterior(self._gathered(heads))

    def decode(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch pair"]:
        """Return the pairs that all latents generate."""
        return self._gathered(self._model.decode(latent[self.own]))

    def _gathered(self, own: Float[Tensor, "own n"]) -> Float[Tensor, "batch n"]:
        every: Tensor = all_gather_single(own, 0, distributed.distributed_c10d._get_default_group())
        return every[: self._count]

    @contextmanager
    def _dropping_out(self) -> Iterator[None]:
        """Let layers of dropout draw for the whole batch, as in one process, and take the own rows."""
        layers = [module for module in self._model.modules() if isinstance(module, nn.Dropout)]

        def drop_out(layer: nn.Dropout, values: Tensor) -> Tensor:
            if not layer.training or not layer.p:
                return values
            kept = values.new_empty((self._count, *values.shape[1:])).bernoulli_(1 - layer.p).div_(1 - layer.p)
            return values * kept[self.own]

        for layer in layers:
            vars(layer)["forward"] = drop_out.__get__(layer)
        try:
            yield
        finally:
            for layer in layers:
                vars(layer).pop("forward", None)


class Step(nn.Module):
    """Return the terms of a batch, as `Objective`, in one process or shared; `forward` is what DDP follows."""

    def __init__(self, model: MSVAE, teacher: Teacher | None, discriminator: Discriminator | None) -> None:
        super().__init__()
        self.model, self.teacher, self.discriminator = model, teacher, discriminator

    def forward(self, objective: Objective, audio: Tensor, visual: Tensor, video: Tensor) -> Terms:
        """Return the terms."""
        network = Rows(self.model, len(video)) if is_shared() else self.model
        return objective(network, audio, visual, video, self.teacher, self.discriminator)


def step_of(model: MSVAE, teacher: Teacher | None, discriminator: Discriminator | None) -> nn.Module:
    """Return the step of an epoch; with others, all begin it at the first process's weights."""
    step = Step(model, teacher, discriminator)
    return DistributedDataParallel(step, forward_sync_buffers=False) if is_shared() else step
