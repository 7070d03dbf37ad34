"""How long each stage of an answer took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Timings:
    """Collect milliseconds by stage."""

    stages_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; times of the same stage add up."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, 1000 * (time.perf_counter() - started))

    def add(self, name: str, spent_ms: float) -> None:
        """Add a time that was measured elsewhere."""
        self.stages_ms[name] = self.stages_ms.get(name, 0.0) + spent_ms

    def report(self) -> dict[str, float]:
        """Return the stages and their total, rounded to microseconds."""
        stages = {name: round(value, 3) for name, value in self.stages_ms.items()}
        return stages | {"total": round(sum(self.stages_ms.values()), 3)}
