"""What is searched: for each modality the newest gallery that is built. A new one is built aside, readers go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from index.catalogue import LatentTable
from index.gallery import Gallery
from model.encoder import Encoder
from model.errors import EcholensError
from model.msvae import MODALITIES, Modality

PATIENCE_S = 0.25  # that a reader waits to see the latest change


@dataclass(frozen=True, eq=False)
class Shelf:
    """One modality's items, the gallery over them and the model that encoded them, of one catalogue version."""

    table: LatentTable
    gallery: Gallery
    encoder: Encoder


@dataclass(frozen=True, eq=False)
class Building:
    """A shelf that is being built of a catalogue version or a later one."""

    version: int
    shelf: Future[Shelf]


class Shelves:
    """Lend shelves to any number of threads; `build` makes a modality's, `version` says what the catalogue is at."""

    def __init__(self, build: Callable[[Modality], Shelf], version: Callable[[], int]) -> None:
        self._build, self._version = build, version
        self._lock = threading.Lock()
        self._built: dict[Modality, Shelf] = {}
        self._spent_s: dict[Modality, float] = {}  # on the last building
        self._building: dict[Modality, Building] = {}
        self._builders = ThreadPoolExecutor(len(MODALITIES), "shelf")

    def close(self) -> None:
        """Wait for what is being built."""
        self._builders.shutdown()

    def get(self, modality: Modality) -> Shelf:
        """Return a shelf of the catalogue as it is now, or an older one where building takes over a quarter second.

        Where there is none yet a reader waits however long it takes. Raises what `build` raises.
        """
        wanted, deadline = self._version(), time.monotonic() + self._patience_s(modality)
        while True:
            with self._lock:
                shelf = self._built.get(modality)
                if shelf is not None and shelf.table.catalogue_version >= wanted:
                    return shelf
                building = self._building.get(modality)
                if building is None or building.shelf.done():
                    building = Building(self._version(), self._builders.submit(self._rebuild, modality))
                    self._building[modality] = building
            try:
                building.shelf.result(None if shelf is None else max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                assert shelf is not None, "without one there is no limit"
                return shelf
            except EcholensError:
                if building.version >= wanted:
                    raise

    def _patience_s(self, modality: Modality) -> float:
        """Return how long to wait: not at all where it would be in vain."""
        return PATIENCE_S if self._spent_s.get(modality, 0.0) <= PATIENCE_S else 0.0

    def _rebuild(self, modality: Modality) -> Shelf:
        started = time.monotonic()
        try:
            shelf = self._build(modality)
        except BaseException:
            with self._lock:
                self._built.pop(modality, None)  # what was there is there no longer
            raise
        with self._lock:
            self._built[modality], self._spent_s[modality] = shelf, time.monotonic() - started
        return shelf
