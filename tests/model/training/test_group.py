"""Several processes train as one does: only rounding differs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from group_samples import RECIPES, train_in_group, weights_of
from torch import multiprocessing

MOST_APART = 1e-3  # of the largest weight of a tensor; measured: 2e-4 where Adam enlarges small gradients


@pytest.fixture(scope="module", params=[2, 3])
def in_group(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Train in some processes."""
    directory: Path = tmp_path_factory.mktemp("group")
    multiprocessing.spawn(train_in_group, (request.param, directory), nprocs=request.param)
    found: dict[str, object] = torch.load(directory / "weights.pt")
    return found


@pytest.mark.parametrize("name", RECIPES)
def test_a_group_learns_what_one_process_learns(name: str, in_group: dict[str, dict[str, torch.Tensor]]) -> None:
    """Dropout, samples, augmented pictures, terms between rows, a teacher: all are those of the whole batch."""
    for key, expected in weights_of(name).items():
        apart = (in_group[name][key] - expected).abs().max()
        assert apart <= MOST_APART * expected.abs().max(), key
