"""Training by the default recipe against steps of one video each, in segments per second.

    python -m benchmarks.learning.training [--archive PATH] [--epochs 6] [--threads 1] [--device auto] [--json OUT]

Both train the same network from the same start on the `train` split of an archive, or on random features of the size of
AVE's, epoch by epoch in turn; nothing but the steps differs. The clock runs over whole epochs, without held-out videos
and without the warm start. Medians over epochs. A segment is a second with sound and picture.

`auto` measures the CPU, and where there is a GPU that one beside it; `ratio_of_devices` is then what the GPU gains. Its
first epoch puts the features there; the clock is read once all that it was asked to do is done.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.learning.random_features import random_corpus
from benchmarks.report import json_parser, tell
from model.data.archive import load_archive
from model.data.corpus import Corpus
from model.network.device import DeviceName, choose_device, name_of
from model.training.batches import Batches
from model.training.recipe import DEFAULT
from model.training.run import Run

AVE_TRAIN_VIDEOS = 3339
FRONT_END = ("archive", "benchmark")


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    corpus = load_archive(arguments.archive).corpus("train") if arguments.archive else random_corpus(AVE_TRAIN_VIDEOS)
    names: tuple[DeviceName, ...] = ("cpu", "auto") if arguments.device == "auto" else (arguments.device,)
    devices = list(dict.fromkeys(choose_device(name) for name in names))
    found = {name_of(device): compare(corpus, arguments.epochs, device) for device in devices}
    speeds = [each["segments_per_s"]["default"] for each in found.values()]
    report = {
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "segments": int(corpus.paired.sum()),
        "epochs": arguments.epochs,
        "batch": DEFAULT.batch,
        "devices": found,
        "ratio_of_devices": speeds[1] / speeds[0] if len(speeds) > 1 else None,
    }
    tell(report, arguments.json)


def compare(corpus: Corpus, epochs: int, device: torch.device) -> dict[str, Any]:
    """Train both on a device, one epoch each in turn; return medians and their ratio."""
    recipes = {"default": DEFAULT, "one_video_steps": replace(DEFAULT, one_video_steps=True)}
    runs = {name: Run(corpus, None, recipe, FRONT_END, 0, device) for name, recipe in recipes.items()}
    batches = {name: Batches(corpus, run.pairs, device) for name, run in runs.items()}
    spent_s: dict[str, list[float]] = {name: [] for name in runs}
    for epoch in range(epochs):
        for name, run in runs.items():
            started_s = _clock_s(device)
            run.learn(epoch, epochs, batches[name])
            spent_s[name].append(_clock_s(device) - started_s)
    segments = int(corpus.paired.sum())
    speed = {name: segments / float(np.median(seconds)) for name, seconds in spent_s.items()}
    return {
        "segments_per_s": speed,
        "spread_s": {name: [min(seconds), max(seconds)] for name, seconds in spent_s.items()},
        "ratio": speed["default"] / speed["one_video_steps"],
    }


def _clock_s(device: torch.device) -> float:
    """Return the time once the device has done all that it was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
