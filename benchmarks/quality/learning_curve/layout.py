"""What a learning curve shows: its columns and its systems."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Name the columns, each a direction and a metric, and the systems.

    `fixed`: systems that no training video changes. `grown`: those that learn, the trained model last. `rival`: what
    the trained model must beat.
    """

    columns: dict[str, tuple[str, str]]
    fixed: tuple[str, ...]
    grown: tuple[str, ...]
    rival: str
