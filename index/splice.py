"""How rows that are sorted by a key become others: some go, and new ones come in their order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped


@dataclass(frozen=True, eq=False)
class Splice:
    """Say of which stretches of the old rows and of the new ones the rows are made, in order.

    `pieces`: whether it is of the new ones, its first row and the one behind its last. `gone`: the old rows that go.
    `in_place`: the new rows have the keys of those that go.
    """

    pieces: list[tuple[bool, int, int]]
    gone: Int64[np.ndarray, "gone"]
    in_place: bool

    @classmethod
    def of(
        cls, keys: Int64[np.ndarray, "n"], gone: Int64[np.ndarray, "gone"], new_keys: Int64[np.ndarray, "new"]
    ) -> Splice:
        """Take rows `gone` out of n rows and put new ones in; all keys and `gone` ascend."""
        starts = gone[np.diff(gone, prepend=-2) > 1]
        ends = gone[np.diff(gone, append=len(keys) + 1) > 1] + 1
        at = np.searchsorted(keys, new_keys)
        at = np.maximum(at, np.append(ends, 0)[np.searchsorted(starts, at, side="right") - 1])  # behind those that go
        cuts = np.unique(np.concatenate([[0, len(keys)], starts, ends, at]))
        firsts, lasts = np.searchsorted(at, cuts), np.searchsorted(at, cuts, side="right")
        pieces, goes = [], set(starts.tolist())
        for start, end, first, last in zip(
            cuts.tolist(), [*cuts[1:].tolist(), len(keys)], firsts.tolist(), lasts.tolist(), strict=True
        ):
            pieces += [(True, first, last)] if first < last else []
            pieces += [(False, start, end)] if start < end and start not in goes else []
        return cls(pieces, gone, np.array_equal(keys[gone], new_keys))

    def array(
        self, old: Shaped[np.ndarray, "n ..."], new: Shaped[np.ndarray, "new ..."]
    ) -> Shaped[np.ndarray, "m ..."]:
        """Return the rows of an array; the old one itself where it does not change."""
        if self.in_place and np.array_equal(old[self.gone], new):
            return old
        return np.concatenate([old[:0], *((new if is_new else old)[start:end] for is_new, start, end in self.pieces)])
