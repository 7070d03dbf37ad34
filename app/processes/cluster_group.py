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
    Raises WorkerFailure where they died more often, or where the cluster has too few cores; what the function raises.
    """
    cores = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
    if workers > cores:
        raise WorkerFailure(
            f"{workers} workers given, at most {cores} expected, one for each core of the cluster: ask for fewer with "
            "--workers, or let more machines join"
        )
    trainer = TorchTrainer(
        _call,
        train_loop_config={"function": function, "arguments": ray.put(arguments)},
        scaling_config=ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 1}),
        torch_config=TorchConfig(backend="gloo"),
        run_config=RunConfig(
            name="run",
            storage_path=str(directory),
            failure_config=FailureConfig(
                max_failures=MOST_RESTARTS,
                controller_failure_limit=MOST_RESTARTS,  # type: ignore[call-arg]  # typed as an older class
            ),
        ),
    )
    try:
        result: Any = trainer.fit()  # its types are those of an older Result
        outcome = result.return_value
    except TrainingFailedError as error:
        raise WorkerFailure(
            f"the {workers} processes that train together failed {MOST_RESTARTS + 1} times ({error}): look for what "
            "ends them, such as a full disk, too little memory or busy cores; where --resume was given, the next call "
            "with it goes on"
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
