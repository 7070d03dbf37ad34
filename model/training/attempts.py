"""Attempts at a training: where a GPU's memory is short with half the batch, at last on the CPU.

Each attempt begins anew, or where its own saved state is, so that it gives what its recipe gives from the first step
on. On the CPU the batch is whole again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from model.errors import DeviceMemoryShort
from model.network.device import device_failure
from model.training.recipe import Recipe

SMALLEST_BATCH = 32  # a contrast among fewer seconds teaches little
CPU = torch.device("cpu")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Attempt:
    """Say what is trained and where, and by `notes` why not as asked for.

    `state_suffix`: attempts with other batches save their states under other names.
    """

    recipe: Recipe
    device: torch.device
    notes: tuple[str, ...] = ()
    state_suffix: str = ""


def first_that_fits(
    train: Callable[[Attempt], Result],
    recipe: Recipe,
    device: torch.device,
    retried: Callable[[str], None] = lambda _: None,
) -> Result:
    """Return the result of the first attempt for which the device has enough memory.

    `retried` is told why another one begins.

    Raises:
        DeviceError: the device failed in another way, and its process can do nothing more with it.
    """
    attempts = list(_attempts(recipe, device))
    for attempt, following in zip(attempts, [*attempts[1:], None], strict=True):
        try:
            return train(attempt)
        except Exception as error:
            failure = device_failure(error)
            if following is None or not isinstance(failure, DeviceMemoryShort):
                if failure is None or failure is error:
                    raise
                raise failure from error
            why = str(failure)
            del failure
        # Only now is nothing left of the attempt: the error's traceback held the tensors of its frames.
        gc.collect()
        torch.cuda.empty_cache()
        retried(f"{why}: {following.notes[-1]}")
    raise AssertionError("the last attempt returns or raises")


def _attempts(recipe: Recipe, device: torch.device) -> Iterator[Attempt]:
    """Yield the attempts: half the batch each time, then the CPU. What they note is the same each time."""
    yield Attempt(recipe, device)
    if device.type == "cpu":
        return
    notes: tuple[str, ...] = ()
    batch = recipe.batch // 2
    while batch >= SMALLEST_BATCH and not recipe.one_video_steps:
        notes = (*notes, f"the GPU had too little free memory for {2 * batch} seconds a step: {batch} were taken")
        yield Attempt(replace(recipe, batch=batch), device, notes, f"-{batch}")
        batch //= 2
    yield Attempt(recipe, CPU, (*notes, "the GPU had too little free memory to train: the CPU trained"))
