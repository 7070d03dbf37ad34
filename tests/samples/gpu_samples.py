"""A stand-in for NVML: what pynvml says of GPUs, where the machine has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace


@dataclass(frozen=True)
class Card:
    """Hold what a GPU says of itself; `percent`: None where it does not tell. `lost`: it fell off the bus."""

    used_bytes: int
    total_bytes: int
    percent: int | None
    lost: bool = False


class Nvml:
    """Answer as pynvml does after nvmlInit, with the same names."""

    class NVMLError(Exception):
        """Raised for what a GPU does not tell."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self.cards = list(cards)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> Card:  # noqa: N802
        if self.cards[number].lost:
            raise self.NVMLError("GPU is lost")
        return self.cards[number]

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=card.used_bytes, free=card.total_bytes - card.used_bytes, total=card.total_bytes)

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> SimpleNamespace:  # noqa: N802
        if card.percent is None:
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(gpu=card.percent, memory=0)
