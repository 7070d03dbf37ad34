"""Stretches of a recording's time, noted while it is read and asked for second by second."""

from __future__ import annotations

SHORTEST_S = 1e-6  # less is the rounding of stamps


class Spans:
    """Hold stretches [start_s, end_s) that do not overlap; those before the second asked for last are forgotten."""

    def __init__(self) -> None:
        self.end_s = 0.0
        self._spans: list[tuple[float, float]] = []

    def add(self, start_s: float, end_s: float) -> None:
        """Note a stretch."""
        if end_s - start_s > SHORTEST_S:
            self._spans.append((start_s, end_s))
            self.end_s = max(self.end_s, end_s)

    def overlap_s(self, second: int) -> float:
        """Return how much of [second, second + 1) is covered, in 0..1. Ask in rising order."""
        if not self._spans:
            return 0.0
        self._spans = [span for span in self._spans if span[1] > second]
        covered_s = sum(max(0.0, min(end_s, second + 1) - max(start_s, second)) for start_s, end_s in self._spans)
        return min(1.0, covered_s) if covered_s > SHORTEST_S else 0.0
