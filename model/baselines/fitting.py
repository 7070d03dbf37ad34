"""How the networks of the comparison are fitted: shuffled mini-batches, AdamW, the best epoch on val."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from model.errors import TrainingError


@dataclass(frozen=True)
class Schedule:
    """Set a fit; `patience`: it ends after so many epochs without a better figure."""

    epochs: int = 30
    patience: int = 6
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


def fit_network(
    network: nn.Module,
    rows: Int64[np.ndarray, "n"],
    loss: Callable[[Int64[np.ndarray, "batch"]], Tensor],
    figure: Callable[[], float],
    schedule: Schedule,
    seed: int,
) -> None:
    """Minimize `loss` over batches of `rows`; leave the network in eval mode with its best epoch's weights.

    `figure` is measured on val after every epoch, with the network in eval mode; great is good. The caller seeds
    the weights (`torch.manual_seed`) before it builds the network; batches follow `seed`.

    Raises:
        TrainingError: the figure is not a number: the fit diverged.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rng = np.random.default_rng(seed)
    best, best_figure, best_epoch = copy.deepcopy(network.state_dict()), -np.inf, 0
    for epoch in range(schedule.epochs):
        network.train()
        for batch in np.array_split(rng.permutation(rows), max(1, round(len(rows) / schedule.batch))):
            optimizer.zero_grad(set_to_none=True)
            loss(batch).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            found = figure()
        if np.isnan(found):
            raise TrainingError("the fit diverged: its figure on val is not a number")
        if found > best_figure:
            best, best_figure, best_epoch = copy.deepcopy(network.state_dict()), found, epoch
        elif epoch - best_epoch >= schedule.patience:
            break
    network.load_state_dict(best)
    network.eval()


def parameters_of(network: nn.Module) -> int:
    """Return how many numbers a network has to fit."""
    return sum(p.numel() for p in network.parameters())
