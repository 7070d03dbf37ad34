"""How training went: every term of the loss, and the held-out figure that chose the epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model.errors import FigureError
from model.figures.canvas import COLOURS, FAINT, INK, sheet
from model.figures.subject import Subject

COLUMNS = 3


def draw_curves(subject: Subject) -> Figure:
    """Draw the loss and the held-out MRR per epoch, and below them each term of the loss that is not 0.

    Raises:
        FigureError: the checkpoint's report has no history: it was trained by an earlier version.
    """
    training = subject.checkpoint.training
    history = training.get("history")
    if not history:
        raise FigureError("the checkpoint holds no history of its training (made by an earlier version); train it anew")
    terms = {name: [epoch["terms"][name] for epoch in history] for name in history[0]["terms"]}
    parts = {name: values for name, values in terms.items() if name != "loss" and any(values)}
    rows = -(-len(parts) // COLUMNS)
    caption = (
        f"Checkpoint {subject.checkpoint.fingerprint}, {training['recipe']['name']} recipe, n = {training['pairs']} "
        f"seconds of {training['videos']} videos, seed {training['seed']}; held out: "
        f"{training['validation']['videos']} videos"
    )
    figure = sheet(3.1 + 1.75 * rows, "Training: loss and held-out MRR per epoch", caption)
    halves = figure.add_gridspec(2, 1, height_ratios=(2.2, 1.75 * max(rows, 1)))
    top, bottom = (figure.add_subfigure(half) for half in (halves[0], halves[1]))
    loss, mrr = top.subplots(1, 2)
    best = training["kept_epoch"]
    _line(loss, terms["loss"], best, "Loss", "weighted sum (no unit)", COLOURS[0])
    _held_out(mrr, [epoch["mrr"] for epoch in history], best, training["validation"])
    objective = training["recipe"]["objective"]
    panels = bottom.subplots(max(rows, 1), COLUMNS, squeeze=False).ravel()
    for axes, (name, values) in zip(panels, parts.items(), strict=False):
        _line(axes, values, best, *_words(name, objective), INK)
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    return figure


def _line(axes: Axes, values: list[float], best: int, title: str, unit: str, colour: str) -> None:
    epochs = np.arange(1, len(values) + 1)
    axes.axvline(best + 1, color=FAINT, linewidth=1, linestyle=(0, (4, 2)))
    axes.plot(epochs, values, color=colour, linewidth=1.6, marker="o", markersize=2.5)
    axes.set(xlabel="epoch", ylabel=unit)
    axes.set_title(title)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _held_out(axes: Axes, values: list[float], best: int, validation: dict[str, Any]) -> None:
    _line(axes, values, best, "Held-out MRR of the own video", "MRR (0 to 1)", COLOURS[1])
    axes.axhline(validation["chance"], color=INK, linewidth=1, linestyle=(0, (1, 1.5)))
    right = (0.99, validation["chance"])
    axes.annotate(
        f"chance {validation['chance']:.3f}",
        right,
        (0, 2),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="bottom",
    )
    axes.set_ylim(0, 1.12 * max(*values, validation["chance"]))
    where = "right" if best > len(values) / 2 else "left"
    axes.annotate(
        f"epoch {best + 1} is kept: {values[best]:.3f} ",
        (best + 1, 0.99),
        xycoords=axes.get_xaxis_transform(),
        ha=where,
        va="top",
    )


def _words(term: str, objective: dict[str, Any]) -> tuple[str, str]:
    """Return the title and the unit of a term, as model/training/objective.py computes it."""
    released = objective.get("published", False)  # reports of earlier versions have this in place of the two settings
    nats = "nats" if objective.get("sum_kl", released) else "nats per latent unit"
    norm = objective.get("sampled_distance", released)
    known = {
        "reconstruction": ("Reconstruction", "squared error (no unit)"),
        "kl_audio": ("KL, audio", nats),
        "kl_visual": ("KL, visual", nats),
        "wasserstein": ("Wasserstein", "norm of samples" if norm else "W2², per latent unit"),
        "correlation": ("Correlation", "per latent unit"),
        "contrast": ("Contrast", "nats"),
        "grouping": ("Grouping", "nats"),
    }
    return known.get(term, (term.replace("_", " ").capitalize(), "no unit"))
