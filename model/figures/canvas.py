"""The paper that all pictures are drawn on: its size, its type, its colours, and how it becomes a PNG."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap

import matplotlib.style
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from model.errors import FigureError

WIDTH_IN = 8.0
DOTS_PER_IN = 200  # twice the pixels that a page 800 wide shows it with
LETTERS = 122  # of a caption's line
STEPS = 4  # half lines that a label may be moved
LINE_IN, TITLE_IN, GAP_IN = 0.17, 0.34, 0.14

INK, FAINT = "#222222", "#b8b8b8"
# Seven colours that colour-blind readers tell apart: Okabe and Ito, "Color universal design", 2008, without the yellow
# that white swallows. With four shapes they make 28 signs.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "^", "s", "X")
SIGNS = tuple((colour, marker) for marker in MARKERS for colour in COLOURS)

STYLE = {
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.7,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#888888",
    "ytick.color": "#888888",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "text.parse_math": False,  # labels are the user's: a dollar is a dollar
}


@contextmanager
def paper() -> Iterator[None]:
    """Draw in this style, whatever the user's own settings of matplotlib are."""
    with matplotlib.style.context(STYLE, after_reset=True):
        yield


def sheet(height_in: float, title: str, caption: str) -> Figure:
    """Return a white sheet with a heading and, below it, `height_in` for what is drawn."""
    lines = wrap(caption, LETTERS)
    heading_in = TITLE_IN + LINE_IN * len(lines) + GAP_IN
    height_in += heading_in
    rect = (0.005, 0.005, 0.99, 1 - heading_in / height_in - 0.005)
    layout = ConstrainedLayoutEngine(rect=rect, w_pad=0.05, h_pad=0.05)
    figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    for text, below_in, size, weight in ((title, 0.1, 11, "bold"), ("\n".join(lines), TITLE_IN, 8.5, "normal")):
        figure.text(0.012, 1 - below_in / height_in, text, fontsize=size, fontweight=weight, va="top")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG.

    Raises:
        FigureError: the file cannot be written.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a label in a script that the font lacks: boxes
        try:
            figure.savefig(path, dpi=DOTS_PER_IN, format="png", metadata={"Software": None})
        except OSError as error:
            raise FigureError(f"{path} cannot be written ({error.strerror}); name another directory") from error


def short(text: str, width: int) -> str:
    """Return a label in one line of at most `width` letters."""
    whole = " ".join(text.split())
    if len(whole) <= width:
        return whole
    words, _, cut = whole[:width].rpartition(" ")
    return (words or cut[:-1]).rstrip(" ,;:") + "…"


def darker(colour: str) -> tuple[float, ...]:
    """Return a colour that is legible as type on white."""
    return tuple(0.7 * part for part in to_rgb(colour))


def write_labels(
    axes: Axes, labels: list[tuple[float, float, str, str]], points: Float[np.ndarray, "n 2"], size: float = 7.5
) -> None:
    """Write (x, y, text, colour) labels, haloed, each as near to its place as it covers few points and no label."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes are drawn on a sheet"
    figure.draw_without_rendering()  # the layout must stand before a text's extent is known
    dots = axes.transData.transform(points)
    frame, taken = axes.get_window_extent().padded(-3), list[Bbox]()
    half_line = 0.6 * size * figure.dpi / 72
    for x, y, text, colour in labels:
        drawn = axes.text(x, y, text, color=darker(colour), fontsize=size, fontweight="bold", ha="center", va="center")
        drawn.set(path_effects=[withStroke(linewidth=2.2, foreground="white")], linespacing=0.95, in_layout=False)
        box = _place(drawn.get_window_extent(), frame, dots, taken, half_line)
        middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        drawn.set_position(tuple(axes.transData.inverted().transform(middle)))
        taken.append(box)


def _place(box: Bbox, frame: Bbox, dots: Float[np.ndarray, "n 2"], taken: list[Bbox], half_line: float) -> Bbox:
    """Return where a text goes: moved up or down by half lines, two of which are worth almost one covered point."""
    inward = max(0.0, frame.x0 - box.x0) - max(0.0, box.x1 - frame.x1)
    steps = sorted(range(-STEPS, STEPS + 1), key=lambda step: (abs(step), -step))
    moved = [box.translated(inward, step * half_line) for step in steps]
    free = [
        (m.padded(2).count_contains(dots) + 0.45 * abs(step), m)
        for step, m in zip(steps, moved, strict=True)
        if frame.y0 <= m.y0 and m.y1 <= frame.y1 and not any(m.overlaps(other) for other in taken)
    ]
    return min(free, key=lambda pair: pair[0])[1] if free else moved[0]
