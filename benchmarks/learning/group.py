"""How far is what several processes learn together from what one process learns?

    python -m benchmarks.learning.group [--videos 200] [--epochs 6] [--json OUT]

Each recipe is trained on random features of the size of AVE's, a fifth of the videos held out, by one, two and three
processes with the same seed (gloo, a thread each). Reported: the largest difference of a weight, as a share of the
largest weight of its tensor; the held-out MRR; seconds. On a machine with fewer cores the seconds say nothing.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from benchmarks.learning.random_features import random_corpus
from benchmarks.report import json_parser, tell
from model.training.plan import train
from model.training.recipe import DEFAULT, PUBLISHED

RECIPES = {"default": DEFAULT, "published": PUBLISHED}
PROCESSES = {"one": 1, "two": 2, "three": 3}


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for name, count in PROCESSES.items():
        with tempfile.TemporaryDirectory(prefix="echolens-group-") as directory:
            work = (count, Path(directory), arguments.videos, arguments.epochs)
            spawn(_train, work, nprocs=count)  # type: ignore[no-untyped-call]
            found[name] = torch.load(Path(directory) / "found.pt")
    report = {
        recipe: {
            name: {
                "apart": _apart(found[name][recipe]["weights"], found["one"][recipe]["weights"]),
                "mrr": found[name][recipe]["mrr"],
                "seconds": round(found[name][recipe]["seconds"], 1),
            }
            for name in PROCESSES
        }
        for recipe in RECIPES
    }
    tell({"videos": arguments.videos, "epochs": arguments.epochs} | report, arguments.json)


def _train(rank: int, count: int, directory: Path, videos: int, epochs: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{directory}/group", rank=rank, world_size=count)
    found, corpus = {}, random_corpus(videos)
    for name, recipe in RECIPES.items():
        began_s = time.monotonic()
        trained = train(corpus, replace(recipe, epochs=epochs), ("random", "random"), 0, torch.device("cpu"))
        found[name] = {
            "weights": trained.checkpoint.model.state_dict(),
            "mrr": trained.validation.mrr,
            "seconds": time.monotonic() - began_s,
        }
    if rank == 0:
        torch.save(found, directory / "found.pt")
    distributed.destroy_process_group()


def _apart(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    return max(float((weights[key] - value).abs().max() / value.abs().max()) for key, value in expected.items())


if __name__ == "__main__":
    main()
