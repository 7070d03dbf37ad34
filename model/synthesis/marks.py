"""The marks of motion that a drawing shows while it sounds: rays, arcs, rings and notes."""

from __future__ import annotations

import numpy as np

from model.synthesis.canvas import Colour, Number, Pen
from model.synthesis.cause import Cause, Moment

RAY_S = 0.5


def rays(pen: Pen, x: Number, y: Number, inner: Number, moment: Moment, colour: Colour, count: int = 10) -> None:
    """Draw strokes that fly out from a hit."""
    if not moment.playing:
        return
    travel = min(moment.since_s / RAY_S, 1.0)
    for angle in np.arange(count) * 2 * np.pi / count + 0.3:
        near = inner * (1 + 0.6 * travel)
        far = near + inner * (0.8 - 0.45 * travel)
        ends = [(x + reach * np.cos(angle), y + reach * np.sin(angle)) for reach in (near, far)]
        pen.glow.line(ends, 0.07 * moment.ring + 0.02, colour, 0.35 + 0.6 * moment.ring)


def arcs(pen: Pen, x: Number, y: Number, radius: Number, moment: Moment, cause: Cause, facing: Number = 0.0) -> None:
    """Draw the arcs of a sound that leaves in one direction (radians), wider as it travels."""
    if not moment.playing:
        return
    travel = min(moment.since_s / RAY_S, 1.0)
    for step in range(3):
        reach = radius * (1 + 0.42 * step + 0.3 * travel)
        strength = moment.ring * (1 - 0.2 * step)
        pen.glow.arc(x, y, reach, facing - 0.6, facing + 0.6, 0.07, cause.mark, 0.25 + 0.7 * strength)
