"""Go once through what a data set lists: how much of it is there, and what is wrong with the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from app.datasets.item import Entry, Fault, Item, Remark, Split


@dataclass
class Survey:
    """Count the items that are there by split and by class, and hold what is missing, wrong and remarkable.

    `several`: how many items have more than one label.
    """

    splits: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    several: int = 0
    missing: list[Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def items(self) -> int:
        """Return how many items are there."""
        return self.splits.total()

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        match entry:
            case Item():
                self.splits[entry.split] += 1
                self.classes.update(entry.labels[:1])
                self.several += len(entry.labels) > 1
            case Remark():
                self.remarks.append(entry.text)
            case Fault(code="missing_file"):
                self.missing.append(entry)
            case Fault():
                self.faults.append(entry)

    def as_json(self) -> dict[str, Any]:
        """Return it with every fault, missing ones apart."""
        faults = {name: [asdict(fault) for fault in getattr(self, name)] for name in ("missing", "faults")}
        return {"classes": len(self.classes), "splits": dict(self.splits), "remarks": self.remarks} | faults

    def __str__(self) -> str:
        """Say in one line how much of what is listed is there."""
        line = f"Listed: {self.items + len(self.missing) + len(self.faults):,}, there: {self.items:,}"
        if self.missing:
            line += f", missing: {len(self.missing):,} (such as {self.missing[0].name})"
        if self.faults:
            line += f", wrong: {len(self.faults):,}"
        if self.several:
            line += f"; of several labels, as {self.several:,} have, the first is the class"
        return f"{line}."


def of_split(entries: Iterable[Entry], split: Split | None) -> Iterator[Entry]:
    """Yield the entries of a split, or all; a fault of which no split is known is of every one."""
    for entry in entries:
        if isinstance(entry, Remark) or split is None or entry.split in (split, None):
            yield entry


def each_once(entries: Iterable[Entry], key: Callable[[Item], Hashable]) -> Iterator[Entry]:
    """Yield the entries; items with the key of an earlier one are left out, and told. Holds a number of each key."""
    seen, again, example = set[int](), 0, ""
    for entry in entries:
        if isinstance(entry, Item):
            if (known := hash(key(entry))) in seen:
                again, example = again + 1, example or entry.name
                continue
            seen.add(known)
        yield entry
    if again:
        yield Remark(f"{again:,} rows name what an earlier row names, such as {example}: the first row counts")


def with_drawn_split(item: Item) -> Item:
    """Return an item with a split drawn by a hash of its name: 80 % train, 10 % val, 10 % test."""
    drawn = hashlib.sha256(item.name.encode(errors="surrogateescape")).digest()[0] / 256
    return replace(item, split="train" if drawn < 0.8 else "val" if drawn < 0.9 else "test")


def up_to(entries: Iterable[Entry], limit: int | None) -> Iterator[Entry]:
    """Yield the entries up to the item of this number."""
    items = 0
    for entry in entries:
        yield entry
        items += isinstance(entry, Item)
        if items == limit:
            return
