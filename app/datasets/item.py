"""What the lists of a data set yield: items that are there, faults, and remarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.library.labels import check_interval, checked_annotation
from model.data.corpus import Annotation
from model.errors import QueryError

Split = Literal["train", "val", "test", ""]  # "": the lists do not say
FaultCode = Literal["missing_file", "bad_row", "bad_list", "not_readable"]


@dataclass(frozen=True)
class Item:
    """Name a medium and what the lists say of it; labels serve evaluation alone.

    `name`: what the data set calls it. `labels`: the first one is its class, where there is any.
    `start_s`, `end_s`: the part of the file that is meant; None is the whole file.
    `listed`: no list names it, a directory holds it; then it may turn out to be no medium.
    `faces`: pictures beside a sound, in order of time, at an even pace; more or fewer than seconds.
    """

    path: Path
    name: str
    labels: tuple[str, ...] = ()
    start_s: float | None = None
    end_s: float | None = None
    split: Split = ""
    listed: bool = False
    faces: tuple[Path, ...] = ()

    @property
    def annotation(self) -> Annotation:
        """Return its class, and the part as the event of that class."""
        if not self.labels:
            return Annotation(self.name)
        return Annotation(self.name, self.labels[0], self.start_s, self.end_s)


@dataclass(frozen=True)
class Fault:
    """Say what cannot be taken, and why. `split`: that of its item, None where it is not known."""

    name: str
    code: FaultCode
    detail: str
    split: Split | None = None


@dataclass(frozen=True)
class Remark:
    """Tell what a person should know of the lists, such as which of two was used."""

    text: str


Entry = Item | Fault | Remark
Reader = Callable[[Path], Iterator[Entry]]


def listed_item(
    where: str,
    path: Path | None,
    name: str,
    labels: Sequence[str],
    start_s: float | None = None,
    end_s: float | None = None,
    split: Split = "",
    cut: bool = False,
) -> Item | Fault:
    """Return a row of a list as an item; a fault where there is no file, or its label or times cannot be.

    `where`: the list and the line. `cut`: the file is the part that the times name, so all of it is meant.
    """
    try:
        checked_annotation(name, labels[0] if labels else None, None, None, where)
        if start_s is not None and end_s is not None:
            check_interval(where, start_s, end_s)
        elif start_s is not None or end_s is not None:
            return bad_row(where, "one of start and end given, both or neither expected")
    except QueryError as error:
        return Fault(where, "bad_row", str(error))
    if path is None:
        return Fault(name, "missing_file", f"{where}: {name} is not there", split)
    if cut or start_s is None or end_s is None:
        return Item(path, name, tuple(labels), split=split)
    return Item(path, name, tuple(labels), float(start_s), float(end_s), split)


def bad_row(where: str, reason: str) -> Fault:
    """Return the fault of a row that is not as expected."""
    return Fault(where, "bad_row", f"{where}: {reason}")
