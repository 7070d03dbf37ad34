"""How long does the map of 20,000 latents take, and how well does it keep neighbours? Beside scikit-learn's t-SNE.

    taskset -c 0,1 python -m benchmarks.service.latent_map [--points 20000] [--peer-points 5000] [--json OUT]

The latents are drawn: 16 numbers for each second of videos of 10 s, in 60 kinds. `kept` is the share of a point's ten
nearest latents that are among its ten nearest on the plane. scikit-learn takes minutes for 20,000 points: it is given
fewer, and so is Echolens beside it. `joined` adds a twentieth to a map.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64
from sklearn.neighbors import NearestNeighbors

from benchmarks.report import json_parser, tell
from model.figures.embedding import project
from model.figures.plane import place

SECONDS, KINDS, NUMBERS, NEIGHBOURS, LOOKED_AT = 10, 60, 16, 10, 3000


def drawn_latents(points: int, seed: int) -> Float32[np.ndarray, "n d"]:
    """Return latents of videos that are of a kind, whose seconds are alike."""
    random = np.random.default_rng(seed)
    videos = -(-points // SECONDS)
    kinds = 2 * random.standard_normal((KINDS, NUMBERS))
    centres = kinds[random.integers(0, KINDS, videos)] + 0.8 * random.standard_normal((videos, NUMBERS))
    seconds = np.repeat(centres, SECONDS, axis=0)[:points]
    return (seconds + 0.4 * random.standard_normal(seconds.shape)).astype(np.float32)


def kept(latents: Float32[np.ndarray, "n d"], plane: Float64[np.ndarray, "n 2"]) -> float:
    """Return the share of neighbours among the latents that are neighbours on the plane."""
    rows = np.random.default_rng(0).choice(len(plane), min(LOOKED_AT, len(plane)), replace=False)
    near = zip(rows.tolist(), _nearest(latents, rows), _nearest(plane, rows), strict=True)
    return float(np.mean([len(set(there) & set(here) - {row}) / NEIGHBOURS for row, there, here in near]))


def _nearest(points: Float[np.ndarray, "n d"], rows: Any) -> list[list[int]]:
    """Return each row's nearest points, itself among them."""
    search = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(points)
    found: list[list[int]] = search.kneighbors(points[rows], return_distance=False).tolist()
    return found


def timed(
    latents: Float32[np.ndarray, "n d"], draw: Callable[[], Float64[np.ndarray, "n 2"]]
) -> tuple[dict[str, float], Float64[np.ndarray, "n 2"]]:
    """Return what a drawing takes and keeps, and the plane."""
    started, computing = time.perf_counter(), time.process_time()
    plane = draw()
    took = {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - computing}
    return {name: round(s, 1) for name, s in took.items()} | {"kept": round(kept(latents, plane), 3)}, plane


def main(arguments: Namespace) -> None:
    """Draw the maps and print what each takes and keeps."""
    latents, few = (drawn_latents(n, arguments.seed) for n in (arguments.points, arguments.peer_points))
    nowhere = np.full((len(latents), 2), np.nan)
    report: dict[str, Any] = {"points": len(latents), "peer_points": len(few)}
    report["echolens"], plane = timed(latents, lambda: place(latents, nowhere, 0))
    report["echolens_again"], again = timed(latents, lambda: place(latents, nowhere, 0))
    report["same_bits"] = bool(np.array_equal(plane, again))
    known = plane.copy()
    known[len(known) * 19 // 20 :] = np.nan
    report["joined"], _ = timed(latents, lambda: place(latents, known, 0))
    report["echolens_fewer_points"], _ = timed(few, lambda: place(few, np.full((len(few), 2), np.nan), 0))
    report["scikit_learn_fewer_points"], _ = timed(few, lambda: project(few, 0))
    tell(report, arguments.json)


if __name__ == "__main__":
    parser = json_parser(__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--peer-points", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
