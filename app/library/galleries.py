"""The galleries that serve: for each modality the newest one. The next is built aside while readers use it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from index.gallery import Gallery, SearchResult
from index.latents_on_disk import LatentsOnDisk
from index.records import LatentTable
from model.data.latents import Latents
from model.errors import EcholensError, LibraryChanged, LibraryError
from model.frontends.prior import Prior
from model.modality import MODALITIES, Modality
from model.network.device import device_failure
from model.network.encoder import Encoder

PATIENCE_S = 0.25  # how long readers wait for the latest change
PATIENT_UP_TO = 100_000  # items: with more, it costs a reader less to be a tenth of a second behind than to wait
SHARE = 0.25  # the largest share of time spent on building, per modality, while the library changes all the time
CREDIT_S = 1.0  # pauses shorter than this are skipped: a single change is built at once
RETRY_S = 30.0  # until a gallery is built again after a device or an index elsewhere failed
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ServedGallery:
    """One modality's items, the gallery over them and the model that encoded them, of one catalogue version.

    `prior`: what the front-end of that model knows, if anything.
    """

    table: LatentTable
    gallery: Gallery
    encoder: Encoder
    prior: Prior | None = None

    def latents_of(self, found: SearchResult) -> Latents:
        """Return the latents of hits: those that they were scored by, where the table leaves them on the disk."""
        return self.table.latents[rows_of(self.table, found.ids)] if found.latents is None else found.latents

    def count_videos(self, allowed: Bool[np.ndarray, "n"] | None) -> int:
        """Return how many videos the allowed items are of; None allows all."""
        return self._every_video if allowed is None else self.table.count_videos(allowed)

    @cached_property
    def _every_video(self) -> int:
        return self.table.count_videos(None)


@dataclass(frozen=True, eq=False)
class Building:
    """A gallery that is being built, of a catalogue version or a later one; readers wait until `wait_until_s`."""

    version: int
    wait_until_s: float
    served: Future[ServedGallery]


class Galleries:
    """Give any number of threads the gallery of a modality.

    `build` makes one from the one before it, if any; `version` returns the catalogue's version.
    """

    def __init__(
        self, build: Callable[[Modality, ServedGallery | None], ServedGallery], version: Callable[[], int]
    ) -> None:
        self._build, self._version = build, version
        self._lock = threading.Lock()
        self._built: dict[Modality, ServedGallery] = {}
        self._building: dict[Modality, Building] = {}
        self._spent_s: dict[Modality, float] = dict.fromkeys(MODALITIES, 0.0)  # on the last one built
        self._rested_at_s: dict[Modality, float] = dict.fromkeys(MODALITIES, 0.0)  # when the pause that it owes is over
        self._closing = threading.Event()
        self._builders = ThreadPoolExecutor(len(MODALITIES), "gallery")

    def close(self) -> None:
        """Wait until nothing is being built, and let go of what was: another session may add to what it keeps."""
        self._closing.set()
        self._builders.shutdown()
        with self._lock:
            self._built.clear()
            self._building.clear()

    def last(self, modality: Modality) -> ServedGallery | None:
        """Return the gallery that serves, however old; None where none was built."""
        with self._lock:
            return self._built.get(modality)

    def get(self, modality: Modality) -> ServedGallery:
        """Return the gallery of the catalogue as it is now, or an older one.

        An older one of more than 100,000 items, or if building takes over a quarter of a second, or has to pause after
        other changes, or if the GPU or Milvus failed while it was built, which is tried again later. The first one is
        waited for, however long it takes. Raises what `build` raises.
        """
        wanted = self._version()
        while True:
            with self._lock:
                served = self._built.get(modality)
                if served is not None and served.table.catalogue_version >= wanted:
                    return served
                building = self._building.get(modality)
                if building is None or building.served.done():
                    building = self._building[modality] = self._begin(modality, served)
            try:
                building.served.result(None if served is None else max(0.0, building.wait_until_s - time.monotonic()))
            except TimeoutError:
                assert served is not None, "without one there is no limit"
                return served
            except EcholensError:
                if building.version >= wanted:
                    raise

    def _begin(self, modality: Modality, last: ServedGallery | None) -> Building:
        """Start building a gallery, after a pause if the last ones took more than their share of the time."""
        now = time.monotonic()
        rest_s = 0.0 if last is None else max(0.0, self._rested_at_s[modality] - CREDIT_S - now)
        soon = (
            rest_s == 0
            and self._spent_s[modality] <= PATIENCE_S
            and (last is None or len(last.gallery) <= PATIENT_UP_TO)
        )
        return Building(
            self._version(),
            now + PATIENCE_S if soon else now,
            self._builders.submit(self._rebuild, modality, last, rest_s),
        )

    def _rebuild(self, modality: Modality, last: ServedGallery | None, rest_s: float) -> ServedGallery:
        if self._closing.wait(rest_s) and last is not None:
            return last
        started = time.monotonic()
        try:
            served = self._build(modality, last)
        except BaseException as error:
            failure = device_failure(error)
            if last is not None and (failure is not None or _may_pass(error, last)):
                log.warning("the %s gallery stays as it was for %g s: %s", modality, RETRY_S, str(failure or error))
                with self._lock:
                    self._rested_at_s[modality] = time.monotonic() + CREDIT_S + RETRY_S
                return last
            with self._lock:
                self._built.pop(modality, None)  # the library that it was built from is gone
                self._building.pop(modality, None)  # its error would keep the old gallery in memory
            if failure is not None and failure is not error:
                raise failure from error
            raise
        with self._lock:
            self._built[modality] = served
            if last is not None:  # the first one takes longer than those after it
                spent_s = self._spent_s[modality] = time.monotonic() - started
                self._rested_at_s[modality] = max(started, self._rested_at_s[modality]) + spent_s / SHARE
        return served


def _may_pass(error: BaseException, last: ServedGallery) -> bool:
    """Say whether an index elsewhere was away, or a second was deleted while it was read: the library is still there.

    The kinds of LibraryError, such as that of a library without footage or of another model, are no such error.
    """
    return isinstance(last.table.latents, LatentsOnDisk) and type(error) in (LibraryError, LibraryChanged)


def rows_of(table: LatentTable, ids: np.ndarray) -> np.ndarray:
    """Return the rows of segment ids in a table, whose ids ascend."""
    return np.searchsorted(table.ids, ids)
