"""Where the slots of a modality are kept between starts. One process at a time adds to them; others read them."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from index.directions import Directions
from index.slots import HEAD, Slots

LOCK = "lock"
PASSING = "passing-"  # a folder whose files lose their names as soon as they are open
PASSED_S = 3600.0
log = logging.getLogger(__name__)


class SlotsFolder:
    """Find slots in a folder, and begin new ones in it, each in a folder of their own."""

    def __init__(self, path: Path) -> None:
        """Make the folder, and be the one that adds to it unless another is. OSError if the disk refuses."""
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = FileLock(path / LOCK, thread_local=False)
        self.take()

    @property
    def is_ours(self) -> bool:
        """Say whether this is the one that adds."""
        return self._lock.is_locked

    def take(self) -> bool:
        """Be the one that adds, if no other is; say whether this is. OSError if the disk refuses."""
        if not self.is_ours:
            with suppress(Timeout):
                self._lock.acquire(timeout=0)
        return self.is_ours

    def kept(self, key: str, widths: tuple[int, int, int]) -> Slots | None:
        """Return the slots that are kept for a key and latents of these widths, if there are any that are whole."""
        for head in sorted(self.path.glob(f"*/{HEAD}")):
            try:
                return Slots.kept(head.parent, key, widths, grows=self.is_ours)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("%s cannot be used (%s): the index is built anew", head.parent, error)
        return None

    def begin(self, directions: Directions, widths: tuple[int, int, int], key: str) -> Slots:
        """Return slots to fill, which are kept if this is the one that adds. OSError if the disk refuses."""
        folder = Path(tempfile.mkdtemp(dir=self.path, prefix="" if self.is_ours else PASSING))
        try:
            slots = Slots(directions, widths, key, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if not self.is_ours:
            slots.forget()
        return slots

    def forget(self, but: Slots | None = None) -> None:
        """Delete what is kept besides some slots, if this is the one that adds; who reads the others goes on."""
        if not self.is_ours:
            return
        for folder in self.path.glob("*/"):
            passing = folder.name.startswith(PASSING) and time.time() - folder.stat().st_mtime < PASSED_S
            if not passing and (but is None or folder != but.folder):
                shutil.rmtree(folder, ignore_errors=True)
