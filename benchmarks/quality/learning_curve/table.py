"""A learning curve's figures: as they are kept, with intervals, as tables, and how many videos are enough."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from app.commands.markdown import table
from benchmarks.quality.learning_curve.layout import Layout
from benchmarks.quality.real_clips_table import figure
from model.judging.evaluation import Figures, of_each

DIGITS = 6  # of a video's figures in the file
PARTS = ("retrieval", "influence", "pairs")
CROSSINGS = ("AV", "VA")

Made = dict[str, Any]  # of a fit: facts, and `systems`, each one's figures by video
Fits = dict[int, dict[int, Made]]  # by number of videos and seed


def kept(figures: Figures, layout: Layout) -> dict[str, Any]:
    """Return the columns' figures as JSON has them; the inverse is `restored`."""

    def plain(values: np.ndarray) -> list[float | None]:
        return [None if np.isnan(v) else round(float(v), DIGITS) for v in values]

    found: dict[str, Any] = {}
    for part in PARTS:
        of = getattr(figures, part)
        assert of is not None, "figures of retrieval have intervals"
        found[part] = {}
        for direction, metric in layout.columns.values():
            found[part].setdefault(direction, {})[metric] = plain(of[direction][metric])
    return found


def restored(made: dict[str, Any]) -> Figures:
    """Return figures of retrieval from JSON."""
    parts = {part: of_each(lambda values: np.array(values, np.float64), made[part]) for part in PARTS}
    return Figures(parts["retrieval"], {}, parts["influence"], parts["pairs"])


def summary(layout: Layout, fits: Fits) -> dict[str, Any]:
    """Return the figures with intervals: of `fixed` systems, by `videos`, and how many videos are `enough`."""
    if not fits:
        return {"fixed": {}, "videos": {}, "enough": None}
    most = max(fits.values(), key=len)
    by_size = {str(size): _of_size(layout, made) for size, made in fits.items()}
    return {
        "fixed": {name: _described(layout, _over_seeds(most, name)) for name in layout.fixed},
        "videos": by_size,
        "enough": enough(layout, by_size),
    }


def enough(layout: Layout, by_size: dict[str, Any]) -> int | None:
    """Return the fewest videos from which on the trained model beats its rival, sound to picture and back.

    There, and with every larger number that was tried, both intervals lie above zero. None where there is no such.
    """
    columns = [name for name, (direction, _) in layout.columns.items() if direction in CROSSINGS]
    found = None
    for size in sorted(map(int, by_size), reverse=True):
        lows = [by_size[str(size)]["minus"][layout.rival][c]["low"] for c in columns]
        if any(low is None or low <= 0 for low in lows):
            break
        found = size
    return found


def markdown(layout: Layout, found: dict[str, Any]) -> str:
    """Return the figures and the paired differences, and how many videos are enough."""
    trained = layout.grown[-1]
    rows = [["any", name, *_cells(layout, of), "-", "-"] for name, of in found["fixed"].items()]
    differences = []
    for size, of in found["videos"].items():
        fit_s, seeds = f"{np.mean(of['fit_s']):.0f}", str(len(of["seeds"]))
        rows += [
            [size, name, *_cells(layout, of["systems"][name]), seeds, fit_s if name == trained else "-"]
            for name in layout.grown
        ]
        differences += [[size, f"{trained} - {name}", *_cells(layout, each, "+")] for name, each in of["minus"].items()]
    fewest = "no number that was tried is enough" if found["enough"] is None else f"from {found['enough']} videos on"
    return "\n".join(
        [
            f"{trained} beats {layout.rival}, sound to picture and back: {fewest}\n",
            table(["videos", "MRR", *layout.columns, "seeds", "fit (s)"], rows),
            table(["videos", "paired", *layout.columns], differences),
        ]
    )


def _of_size(layout: Layout, made: dict[int, Made]) -> dict[str, Any]:
    trained = layout.grown[-1]
    systems = {name: _over_seeds(made, name) for name in (*layout.fixed, *layout.grown)}
    others = dict.fromkeys([layout.rival, *layout.grown[:-1]])
    return {
        "seeds": list(made),
        "fit_s": [round(one["fit_s"], 1) for one in made.values()],
        "systems": {
            name: {
                column: of | {"seeds": [_mean(restored(one["systems"][name]), layout, column) for one in made.values()]}
                for column, of in _described(layout, systems[name]).items()
            }
            for name in layout.grown
        },
        "minus": {name: _described(layout, systems[trained] - systems[name]) for name in others},
    }


def _over_seeds(made: dict[int, Made], name: str) -> Figures:
    return Figures.mean([restored(one["systems"][name]) for one in made.values()])


def _described(layout: Layout, figures: Figures) -> dict[str, dict[str, Any]]:
    report = figures.report().retrieval
    return {column: asdict(report[direction][metric]) for column, (direction, metric) in layout.columns.items()}


def _mean(figures: Figures, layout: Layout, column: str) -> float:
    direction, metric = layout.columns[column]
    return float(np.nanmean(figures.retrieval[direction][metric]))


def _cells(layout: Layout, found: dict[str, Any], sign: str = "") -> list[str]:
    return [figure(found[column], sign) for column in layout.columns]
