"""A learning curve as a picture: figures over the number of training videos, with intervals and seeds."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from benchmarks.quality.learning_curve.layout import Layout
from model.figures.canvas import COLOURS, INK, paper, save, sheet

NAMES = {
    "trained": "trained model",
    "linear_cca": "linear CCA",
    "linear_cca_in_context": "linear CCA, same context",
    "start": "starting model, untrained",
    "chance": "chance",
}
DASHES = {"chance": (0, (1, 1.5)), "start": (0, (4, 2))}
ROOM = 0.08  # of the axis: a number of videos that is nearer to the next one is not written out
APART = 1.02  # whiskers of two systems beside each other, as a factor of the number of videos


def draw(layout: Layout, found: dict[str, Any], path: Path) -> None:
    """Write a PNG: a panel per column. Raises FigureError: it cannot be written."""
    columns = 2
    rows = -(-len(layout.columns) // columns)
    seeds = " or ".join(map(str, sorted({len(of["seeds"]) for of in found["videos"].values()})))
    caption = (
        "Mean reciprocal rank on videos that were not trained on. Upright lines: 95 % intervals over videos. Short "
        f"level lines: the seeds ({seeds}), each of which draws other training videos."
    )
    with paper():
        figure = sheet(2.2 * rows, "What training gives, by the number of videos in all", caption)
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, column in zip(panels, layout.columns, strict=True):
            _panel(axes, layout, found, column)
        panels[0].set_ylim(bottom=0)  # of all; earlier it would keep what later panels need from being seen
        for axes in panels[-columns:]:
            axes.set_xlabel("videos with sound and picture")
        for axes in panels[::columns]:
            axes.set_ylabel("MRR (0 to 1)")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        save(figure, path)


def _panel(axes: Axes, layout: Layout, found: dict[str, Any], column: str) -> None:
    sizes = [int(size) for size in found["videos"]]
    for name in layout.fixed:
        level = found["fixed"][name][column]["mean"]
        axes.axhline(level, color=INK, linewidth=1.2, linestyle=DASHES[name], label=NAMES[name])
    for place, (name, colour) in enumerate(zip(layout.grown, (COLOURS[1], COLOURS[0]), strict=True)):
        at = [size * APART ** (2 * place - 1) for size in sizes]
        each = [of["systems"][name][column] for of in found["videos"].values()]
        mean = [one["mean"] for one in each]
        axes.plot(at, mean, color=colour, linewidth=1.6, label=NAMES[name])
        for x, one in zip(at, each, strict=True):
            axes.plot([x] * len(one["seeds"]), one["seeds"], "_", color=colour, markersize=6)
            if one["low"] is not None:
                axes.vlines(x, one["low"], one["high"], color=colour, linewidth=1)
    axes.set(title=column, xscale="log")
    axes.xaxis.set_minor_locator(NullLocator())
    apart = ROOM * math.log(sizes[-1] / sizes[0])
    told = [math.log(after / n) >= apart for n, after in pairwise([*sizes, math.inf])]
    axes.set_xticks(sizes, [f"{n:,}" if tell else "" for n, tell in zip(sizes, told, strict=True)])
