"""A training run between two epochs, on disk: tensors as safetensors, facts in its metadata."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.errors import TrainingError


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Hold weights, the best weights, the optimizer's moments by parameter, and JSON facts."""

    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[int, dict[str, Tensor]]
    facts: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write atomically: after a kill the file holds the state before or the state after."""
        tensors = {f"model/{k}": v for k, v in self.model.items()}
        tensors |= {f"best/{k}": v.clone() for k, v in self.best.items()}
        tensors |= {f"optimizer/{i}/{k}": v for i, slots in self.optimizer.items() for k, v in slots.items()}
        partial = path.with_suffix(".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        save_file(tensors, partial, {"facts": json.dumps(self.facts)})
        os.replace(partial, path)

    @staticmethod
    def load(path: Path) -> TrainingState:
        """Read what `save` wrote.

        Raises:
            TrainingError: the file is corrupt.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}}
        optimizer: dict[int, dict[str, Tensor]] = {}
        try:
            with safe_open(path, "pt") as file:
                facts = json.loads(file.metadata()["facts"])
                for key in file.keys():  # noqa: SIM118  (safe_open is no mapping)
                    part, name = key.split("/", 1)
                    if part == "optimizer":
                        row, slot = name.split("/")
                        optimizer.setdefault(int(row), {})[slot] = file.get_tensor(key)
                    else:
                        parts[part][name] = file.get_tensor(key)
        except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
            raise TrainingError(f"{path} cannot be resumed ({error}); remove it to start afresh") from error
        return TrainingState(parts["model"], parts["best"], optimizer, facts)
