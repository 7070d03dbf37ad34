"""Several processes train as one does: only rounding differs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from group_samples import RECIPES, train_in_group, weights_of
from torch import multiprocessing

MOST_APART = 1e-3  # of the largest weight of a tensor; measured: 2e-4 where Adam enlarges small gradients


@pytest.fixture(scope="module", params=[2, 3])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """Train in some processes; return how many, and where they leave what they found."""
    directory: Path = tmp_path_factory.mktemp("group")
    multiprocessing.spawn(train_in_group, (request.param, directory), nprocs=request.param)
    return request.param, directory


@pytest.mark.parametrize("name", RECIPES)
def test_a_group_learns_what_one_process_learns(name: str, trained: tuple[int, Path]) -> None:
    """Dropout, samples, augmented pictures, terms between rows, a teacher: all are those of the whole batch."""
    in_group: dict[str, dict[str, torch.Tensor]] = torch.load(trained[1] / "weights.pt")
    for key, expected in weights_of(name).items():
        apart = (in_group[name][key] - expected).abs().max()
        assert apart <= MOST_APART * expected.abs().max(), key


def test_a_state_that_not_all_of_a_group_see_is_refused_by_all(trained: tuple[int, Path]) -> None:
    """Else they would train on different batches, or wait for each other for ever."""
    count, directory = trained
    assert sorted(path.name for path in directory.glob("*.refused")) == [f"{rank}.refused" for rank in range(count)]
