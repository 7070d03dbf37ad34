"""The slots of certified search: each holds one item, and those that are filled never change.

Galleries of one line share them, and each looks at the first so many: a new one fills some more, while those before it
serve. An item that is gone, or was encoded anew, leaves its slot behind.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, Int64

from index.directions import Directions
from index.latents_on_disk import LatentsOnDisk
from index.row_file import RowFile
from index.runs import Run, Runs, balls_round, lengths_of
from model.data.latents import Latents

FORMAT = "echolens slots 1"  # raise it when the layout or the meaning of a number changes
HEAD, DIRECTIONS = "head.json", "directions.npz"
RUNS_AT_ONCE = 512  # filled at a time, with up to ten items each
WRITTEN_DOWN_EACH = 64  # times: what is filled counts after a crash


@dataclass(frozen=True, eq=False)
class Filled:
    """Look at the slots that were filled at one moment.

    `keys`: id and stamp of the items, and the CRC-32 of their latents. `stored`, `short`: of each block of p, the
    numbers in every slot, whole and contracted for the sieve. `widths`: how many numbers mu, sigma and the pair have.
    """

    widths: tuple[int, int, int]
    keys: Int64[np.ndarray, "slots 3"]
    latents: RowFile
    stored: tuple[Float32[np.ndarray, "slots _"], ...]
    short: tuple[Float32[np.ndarray, "slots _"], ...]
    runs: Runs

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, slots: Int64[np.ndarray, "m"]) -> Latents | None:
        """Return the latents in some slots, in their order; None if they are damaged or cannot be read."""
        try:
            rows = self.latents.read(slots)
        except OSError:
            return None
        if list(map(zlib.crc32, rows)) != self.keys[slots, 2].tolist():
            return None
        latent = self.widths[0]
        return Latents(rows[:, :latent], rows[:, latent : 2 * latent], rows[:, 2 * latent :])


class Slots:
    """Fill slots, one thread at a time, and look at them.

    In a folder they outlive the process: what is written down in `head.json` is complete, what a crash left behind it
    is written over. `key` names the model whose latents they are. `grows`: whether this process may fill them.
    """

    def __init__(self, directions: Directions, widths: tuple[int, int, int], key: str, folder: Path | None) -> None:
        """Begin with none, in a folder that is empty, or in memory alone. OSError if the disk refuses."""
        self.directions, self.widths, self.key, self.grows, self._folder = directions, widths, key, True, folder
        self._files = {
            name: RowFile(dtype, width, None if folder is None else folder / name)
            for name, (dtype, width) in _columns(directions, widths).items()
        }
        self._sums = {name: 0 for name in self._files if name != "latents"}
        self._runs: Runs | None = None
        if folder is not None:
            directions.save(folder / DIRECTIONS)

    @classmethod
    def kept(cls, folder: Path, key: str, widths: tuple[int, int, int], *, grows: bool) -> Slots:
        """Return those of a folder. All but the latents is compared with its checksum; these are when they are read.

        OSError, ValueError, KeyError, TypeError or AttributeError where they are damaged, or of another key.
        """
        head = json.loads((folder / HEAD).read_text())
        if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("key") != key:
            raise ValueError("it is of another model or version")
        slots = cls.__new__(cls)
        slots.directions, slots.widths = Directions.load(folder / DIRECTIONS), widths
        slots.key, slots.grows, slots._folder, slots._runs = key, grows, folder, None
        slots._files = {
            name: RowFile.kept(dtype, width, folder / name, head["counts"][name], grows=grows)
            for name, (dtype, width) in _columns(slots.directions, slots.widths).items()
        }
        slots._sums = {name: file.checksum() for name, file in slots._files.items() if name != "latents"}
        counts = {file.count for name, file in slots._files.items() if name != "runs"}
        if len(counts) != 1 or not len(slots) or slots._sums != head["sums"]:
            raise ValueError("it is damaged")
        return slots

    @property
    def folder(self) -> Path | None:
        """Return where they are kept; None where they end with the process."""
        return self._folder

    def forget(self) -> None:
        """Keep them no longer than the process, in files without a name."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __len__(self) -> int:
        return self._files["keys"].count

    def filled(self) -> Filled:
        """Look at all that are filled now."""
        blocks = range(len(self.directions.prefilter.widths))
        views = {name: file.view() for name, file in self._files.items() if name != "latents"}
        short = tuple(views[f"short{i}"] for i in blocks)
        held = 0 if self._runs is None else self._runs.count
        self._runs = Runs(tuple(part.shape[1] for part in short), self._runs, views["runs"][held:])
        stored = tuple(views[f"stored{i}"] for i in blocks)
        return Filled(self.widths, views["keys"], self._files["latents"], stored, short, self._runs)

    def fill(
        self,
        ids: Int64[np.ndarray, "n"],
        stamps: Int64[np.ndarray, "n"],
        latents: Latents | LatentsOnDisk,
        rows: Int64[np.ndarray, "m"],
        groups: Int[np.ndarray, "m"],
    ) -> None:
        """Put the items at some rows into slots, in their order; those of one group that are neighbours make runs.

        ValueError for latents that are not finite, OSError if the disk refuses, and what `latents` raises: then the
        first of them may be filled.
        """
        lengths = lengths_of(groups)
        try:
            for number, first in enumerate(range(0, len(lengths), RUNS_AT_ONCE), 1):
                chosen = lengths[first : first + RUNS_AT_ONCE]
                here, rows = np.split(rows, [chosen.sum()])
                self._fill(ids[here], stamps[here], latents[here], chosen)
                if number % WRITTEN_DOWN_EACH == 0:
                    self._write_head()
        finally:
            self._write_head()

    def _fill(
        self,
        ids: Int64[np.ndarray, "m"],
        stamps: Int64[np.ndarray, "m"],
        latents: Latents,
        lengths: Int64[np.ndarray, "runs"],
    ) -> None:
        if not latents.is_finite():
            raise ValueError("latents with NaN or infinite numbers given, finite ones expected")
        counts, sums = {name: file.count for name, file in self._files.items()}, dict(self._sums)
        try:
            self._append_all(ids, stamps, latents, lengths)
        except BaseException:  # all files end with the same slot, whatever happens
            for name, file in self._files.items():
                file.count = counts[name]
            self._sums = sums
            raise

    def _append_all(
        self,
        ids: Int64[np.ndarray, "m"],
        stamps: Int64[np.ndarray, "m"],
        latents: Latents,
        lengths: Int64[np.ndarray, "runs"],
    ) -> None:
        row_bytes = self._files["latents"].row_bytes
        content = self._files["latents"].append(np.concatenate([latents.mu, latents.sigma, latents.generated], axis=1))
        sums = [zlib.crc32(content[at : at + row_bytes]) for at in range(0, len(content), row_bytes)]
        self._append("keys", np.stack([ids, stamps, np.array(sums, np.int64)], axis=1))
        prefilter, rounding, short = self.directions.prefilter, self.directions.rounding, []
        for i, part in enumerate(prefilter.split(prefilter.project(latents))):
            p = rounding.shortened(part)
            short.append(rounding.pack(self.directions.sieve[i](p)))
            self._append(f"stored{i}", rounding.pack(p))
            self._append(f"short{i}", short[i])
        self._append("runs", balls_round(short, lengths))

    def _append(self, name: str, rows: np.ndarray) -> None:
        self._sums[name] = zlib.crc32(self._files[name].append(rows), self._sums[name])

    def _write_head(self) -> None:
        if self._folder is None or not len(self):
            return
        if not self._folder.exists():  # it was deleted: the files go on without a name
            self._folder = None
            return
        counts = {name: file.count for name, file in self._files.items()}
        head = {"format": FORMAT, "key": self.key, "counts": counts, "sums": self._sums}
        partial = self._folder / f"{HEAD}.partial"
        partial.write_text(json.dumps(head))
        os.replace(partial, self._folder / HEAD)


def _columns(directions: Directions, widths: tuple[int, int, int]) -> dict[str, tuple[type[np.generic], int]]:
    """Return of what and how wide the rows of each file are."""
    short = tuple(contract.width for contract in directions.sieve)
    floats = {"runs": Run.width(short), "latents": sum(widths)}
    floats |= {f"short{i}": width for i, width in enumerate(short)}
    floats |= {f"stored{i}": width for i, width in enumerate(directions.prefilter.widths)}
    return {"keys": (np.int64, 3)} | {name: (np.float32, width) for name, width in floats.items()}
