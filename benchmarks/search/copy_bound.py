"""How fast a device copies its own memory: the bound of what reads much and computes little, such as a flat scan.

    python -m benchmarks.search.copy_bound [--device cpu] [--mib 1024] [--times 20] [--json OUT]

Copies one tensor onto another, both larger than any cache. A copy reads and writes each byte, so `gb_per_s` (10^9
bytes) is twice the tensor's size by the median time. A scan takes at least its bytes by this figure.
"""

from __future__ import annotations

import time
from typing import Any, get_args

import numpy as np
import torch

from benchmarks.report import json_parser, tell
from model.network.device import DeviceName, choose_device, name_of

WARM_UP = 3


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--device", choices=get_args(DeviceName), default="cpu")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    tell(copy_bound(choose_device(arguments.device), arguments.mib, arguments.times), arguments.json)


def copy_bound(device: torch.device, mib: int, times: int) -> dict[str, Any]:
    """Copy `mib` MiB on a device so many times; return bytes read and written a second, by the median and the best."""
    source = torch.ones(mib * 2**20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    spent_s = [_copy_s(source, target) for _ in range(WARM_UP + times)][WARM_UP:]
    moved = 2 * source.nbytes
    return {
        "device": name_of(device),
        "threads": torch.get_num_threads(),
        "mib": mib,
        "gb_per_s": moved / float(np.median(spent_s)) / 1e9,
        "best_gb_per_s": moved / min(spent_s) / 1e9,
    }


def _copy_s(source: torch.Tensor, target: torch.Tensor) -> float:
    started = time.perf_counter()
    target.copy_(source)
    if target.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
