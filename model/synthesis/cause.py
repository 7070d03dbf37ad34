"""The one physical cause of what is seen and heard, and the moment at which it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from model.synthesis.canvas import Colour, Number, Pen

Track = Float64[np.ndarray, "_"]  # a length of its own each: sounds of several lengths meet in one call
Rhythm = Literal["beat", "second", "flow"]
Stage = Literal["ground", "air", "sky"]


@dataclass(frozen=True, eq=False)
class Cause:
    """Hold what sight and sound share; times are seconds from the start of the event.

    `size`: 0 small to 1 large. `vigour`: 0 faint to 1 strong. `rate_hz`: beats, steps or turns a second.
    `onsets_s`: when it strikes or calls. `mark`: the colour of motion marks. `facing`: 1 right, -1 left.
    """

    seed: int
    size: float
    vigour: float
    rate_hz: float
    onsets_s: Float64[np.ndarray, "onsets"]
    duration_s: int
    main: Colour
    accent: Colour
    mark: Colour

    def details(self) -> np.random.Generator:
        """Return a generator that gives the same details of this cause at every call."""
        return np.random.default_rng(self.seed)

    def pitch_hz(self, small_hz: Number, large_hz: Number) -> float:
        """Return the pitch of this size: `small_hz` for the smallest, `large_hz` for the largest."""
        return float(small_hz * (large_hz / small_hz) ** self.size)


@dataclass(frozen=True)
class Moment:
    """Say where an event stands at one frame; at rest `playing` is False and nothing moves.

    `since_s`, `until_s`: from the last and to the next onset. `count`: onsets so far.
    """

    time_s: float = 0.0
    since_s: float = 9.0
    until_s: float = 9.0
    count: int = 0
    playing: bool = False

    @property
    def ring(self) -> float:
        """Return the strength of motion marks: 1 at an onset, never quite gone while it plays."""
        return max(0.4, float(np.exp(-self.since_s / 0.4))) if self.playing else 0.0

    @property
    def hit(self) -> float:
        """Return 1 at an onset and 0 a tenth of a second away from it, before as after."""
        return max(0.0, 1 - min(self.since_s, self.until_s) / 0.1) if self.playing else 0.0


@dataclass(frozen=True)
class Kind:
    """Describe one kind of event: its rhythm and place, how it looks and how it sounds.

    `draw` fills the square from -1 to 1; `hear` returns the sound of `duration_s` seconds at any level.
    """

    name: str
    rhythm: Rhythm
    stage: Stage
    rate_hz: tuple[float, float]
    draw: Callable[[Pen, Cause, Moment], None]
    hear: Callable[[Cause, np.random.Generator], Track]
