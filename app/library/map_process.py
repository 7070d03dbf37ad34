"""The process that draws maps: seconds of computing that nothing else waits for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from app.library.latent_map import Arranged, arrange_points
from app.processes.cores import use_threads
from app.processes.workers import FailureErrors, Workers
from model.errors import WorkerFailure

NICENESS = 10  # questions go first
MOST_BYTES = 2 * 1024**3
MOST_S = 300.0
FAILURE_ERRORS = FailureErrors(
    died=lambda: WorkerFailure("the process that draws the map ended on this, twice: the log may say why"),
    slow=lambda limit_s: WorkerFailure(f"drawing the map took over {limit_s:g} s and was ended: ask for fewer points"),
    swollen=lambda: WorkerFailure("drawing the map takes more memory than there is: ask for fewer points"),
)


def map_process(preload: str) -> Workers:
    """Return the process; `preload`: the module that it is forked with."""
    return Workers(1, MOST_BYTES, "map", preload, FAILURE_ERRORS, renewed=True, niceness=NICENESS)


@dataclass(frozen=True)
class InMapProcess:
    """Arrange points in the process that draws maps."""

    process: Workers

    def __call__(self, points: Float32[np.ndarray, "n d"], known: Float64[np.ndarray, "n 2"], seed: int) -> Arranged:
        """Return what arrange_points returns. Raises FigureError, WorkerFailure."""
        return self.process.submit(_arrange, points, known, seed, limit_s=MOST_S).result()


def _arrange(points: Float32[np.ndarray, "n d"], known: Float64[np.ndarray, "n 2"], seed: int) -> Arranged:
    use_threads(1)
    return arrange_points(points, known, seed)
