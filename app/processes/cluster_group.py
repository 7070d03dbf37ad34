"""Processes of a Ray cluster that work on one thing together, as a group of torch.distributed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError

from model.errors import EcholensError, WorkerFailure

Result = TypeVar("Result")
MOST_RESTARTS = 10  # of a group: after more, something else is wrong


def together(function: Callable[..., Result], arguments: tuple[Any, ...], workers: int, directory: Path) -> Result:
    """Call `function(*arguments)` in some processes of the cluster, which are a group of torch.distributed (gloo).

    Returns what the first of them returns. Where one dies, all are begun again, up to MOST_RESTARTS times: the function
    goes on from what it has saved. `directory`: for Ray's own notes; each machine sees it under this path.
    Raises WorkerFailure where they died more often; what the function raises.
    """
    trainer = TorchTrainer(
        _call,
        train_loop_config={"function": function, "arguments": ray.put(arguments)},
        scaling_config=ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 1}),
        torch_config=TorchConfig(backend="gloo"),
        run_config=RunConfig(
            name="run",
            storage_path=str(directory),
            failure_config=FailureConfig(max_failures=MOST_RESTARTS),
        ),
    )
    try:
        result: Any = trainer.fit()  # its types are those of an older Result
        outcome = result.return_value
    except TrainingFailedError as error:
        raise WorkerFailure(
            f"the {workers} processes that train together ended {MOST_RESTARTS + 1} times ({error}): look for what "
            "ends them, such as too little memory; with the same --resume the next call goes on"
        ) from error
    if isinstance(outcome, EcholensError):
        raise outcome
    found: Result = outcome
    return found


def _call(config: dict[str, Any]) -> Any:
    try:
        return config["function"](*ray.get(config["arguments"]))
    except EcholensError as error:  # all of the group raise it; nothing is gained by beginning again
        return error
