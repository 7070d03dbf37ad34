"""The scores behind cross-modal localization, second by second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import MaxNLocator

from model.data.corpus import Corpus
from model.errors import FigureError
from model.figures.canvas import COLOURS, sheet, short
from model.figures.subject import Subject
from model.judging.evaluation import CROSSINGS, Clip, clips_of, window_overlaps
from model.judging.localizers import ScoreLocalizer
from model.judging.scorers import LatentScorer, Scorer

EXAMPLES = 6
COLUMNS = 3
SCALE = "cividis"  # rises in lightness, for colour-blind readers and on grey paper too; dark is near
EVENT = COLOURS[1]
FRAMES: dict[str, Any] = {"A2V": "solid", "V2A": (0, (2.2, 1.2))}
CASING: list[AbstractPathEffect] = [withStroke(linewidth=3.4, foreground="black")]


@dataclass(frozen=True, eq=False)
class Example:
    """Hold a clip's matrix D(sound second i, picture second j), and for each crossing where its best window begins."""

    label: str
    begin_s: int
    clip: Clip
    matrix: Float64[np.ndarray, "t t"]
    found: dict[str, int | None]

    @staticmethod
    def of(corpus: Corpus, scorer: Scorer, clip: Clip) -> Example:
        """Score a clip."""
        first = clip.seconds[0]
        found = {crossing: best_window(corpus, scorer, clip, crossing) for crossing in CROSSINGS}
        label = corpus.classes[corpus.label[corpus.video[first]]]
        return Example(label, int(corpus.start_s[first]), clip, score_matrix(corpus, scorer, clip), found)


def best_window(corpus: Corpus, scorer: Scorer, clip: Clip, crossing: str) -> int | None:
    """Return the row at which the nearest window begins, the first of equals; None where none can be scored."""
    query, target = CROSSINGS[crossing]
    windows = ScoreLocalizer(scorer, corpus).windows(query, clip.event, target, clip.seconds, rolled=False)
    return None if np.isnan(windows).all() else int(np.nanargmin(windows))


def score_matrix(corpus: Corpus, scorer: Scorer, clip: Clip) -> Float64[np.ndarray, "t t"]:
    """Return D(sound second i, picture second j), NaN where either is missing."""
    matrix = scorer.score("audio", clip.seconds, "visual", clip.seconds)
    matrix[~corpus.heard[clip.seconds]] = np.nan
    matrix[:, ~corpus.seen[clip.seconds]] = np.nan
    return matrix


def draw_matrices(subject: Subject) -> Figure:
    """Draw D(sound second i, picture second j) of six videos, chosen at random, with the event and what was found.

    Raises:
        FigureError: no labelled video with both modalities throughout its event has one shorter than itself.
    """
    corpus = subject.corpus
    clips = [clip for clip in clips_of(corpus) if corpus.paired[clip.event].all()]
    if not clips:
        raise FigureError(
            "no labelled video has an event shorter than itself, with sound and picture throughout; mark some "
            "with: echolens ingest DIR --labels CSV (event_start_s, event_end_s)"
        )
    chosen = np.sort(np.random.default_rng(subject.seed).permutation(len(clips))[:EXAMPLES])
    shown = corpus.of_videos(np.array([corpus.video[clips[c].seconds[0]] for c in chosen]))
    scorer = LatentScorer.of_checkpoint(subject.checkpoint, shown, subject.device)
    examples = [Example.of(shown, scorer, clip) for clip in clips_of(shown)]
    n = f"{len(examples)} of the {len(clips)} videos with an event shorter than the clip, drawn at random"
    return _draw(examples, subject.caption(n))


def _draw(examples: list[Example], caption: str) -> Figure:
    rows = -(-len(examples) // COLUMNS)
    title = "Where is seen what is heard? Distances of a clip's sounds to its pictures"
    figure = sheet(0.35 + 2.65 * rows, title, caption)
    panels = figure.subplots(rows, COLUMNS, squeeze=False)
    scale = Normalize(
        min(np.nanmin(example.matrix) for example in examples), max(np.nanmax(example.matrix) for example in examples)
    )
    for axes, example in zip(panels.ravel(), examples, strict=False):
        image = _draw_example(axes, example, scale)
    for axes in panels.ravel()[len(examples) :]:
        axes.set_axis_off()
    bar = figure.colorbar(image, ax=panels, shrink=0.7, aspect=32, pad=0.02, label="distance D (no unit; dark is near)")
    bar.outline.set_visible(False)
    figure.legend(handles=_legend(), loc="outside lower left", ncols=3, handlelength=2.6)
    return figure


def _draw_example(axes: Axes, example: Example, scale: Normalize) -> Any:
    begin_s, seconds, length_s = example.begin_s, len(example.clip.seconds), example.clip.length
    end_s, event_s = begin_s + seconds, begin_s + example.clip.start
    axes.set_facecolor("#e4e4e4")  # what has no distance
    image = axes.imshow(example.matrix, cmap=SCALE, norm=scale, origin="lower", extent=(begin_s, end_s, begin_s, end_s))
    for crossing, start in example.found.items():
        if start is not None:
            found_s = begin_s + start
            corner = (found_s, event_s) if crossing == "A2V" else (event_s, found_s)
            _frame(axes, crossing, corner, length_s, seconds)
    _mark_event(axes, event_s, length_s)
    axes.set_title(f"{short(example.label, 32)}\n{_verdict(example)}", fontsize=8.5)
    axes.set(xlabel="picture, time (s)", ylabel="sound, time (s)")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
    return image


def _frame(axes: Axes, crossing: str, corner: tuple[int, int], length_s: int, seconds: int) -> None:
    """Frame the query's seconds by the window found; one frame is smaller, so that two on one place are both seen."""
    share = 0.013 if crossing == "A2V" else 0.032
    inset = min(share * seconds, 10 * share * length_s)
    side = length_s - 2 * inset
    frame = Rectangle((corner[0] + inset, corner[1] + inset), side, side, fill=False, edgecolor="white", linewidth=1.8)
    frame.set_linestyle(FRAMES[crossing])
    frame.set_path_effects(CASING)
    axes.add_patch(frame)


def _mark_event(axes: Axes, start_s: int, length_s: int) -> None:
    """Draw the event as a bar just outside either axis."""
    ends, outside = [start_s, start_s + length_s], [-0.028, -0.028]
    style: dict[str, Any] = {"color": EVENT, "linewidth": 4, "solid_capstyle": "butt", "clip_on": False}
    axes.plot(ends, outside, transform=axes.get_xaxis_transform(), **style)
    axes.plot(outside, ends, transform=axes.get_yaxis_transform(), **style)


def _verdict(example: Example) -> str:
    """Say how far each window found overlaps with the event."""
    clip = example.clip
    overlap = window_overlaps(len(clip.seconds), clip.length, clip.start, rolled=False)
    words = {crossing: "-" if row is None else f"{overlap[row]:.2f}" for crossing, row in example.found.items()}
    return "overlap (IoU) " + ", ".join(f"{crossing} {word}" for crossing, word in words.items())


def _legend() -> list[Line2D]:
    words = {"A2V": "A2V: picture found for the event's sound", "V2A": "V2A: sound found for the event's picture"}
    event = Line2D([], [], color=EVENT, linewidth=4, label="the event, on both axes")
    frames = [
        Line2D([], [], color="white", linewidth=1.8, linestyle=FRAMES[c], path_effects=CASING, label=word)
        for c, word in words.items()
    ]
    return [event, *frames]
