"""The front-ends by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model.errors import FrontEndError
from model.frontends.frontend import FrontEnd
from model.frontends.names import NAMES
from model.frontends.pretrained import PretrainedFrontEnd
from model.frontends.raw import RawFrontEnd
from model.frontends.weights import are_pulled, pull_absent


def make_front_end(name: str, directory: Path, keep: bool = True) -> FrontEnd:
    """Return the front-end called `name`; what it reads lies in the directory.

    That is weights for `pretrained`, a filter bank for `raw`, which writes it there if it is absent and `keep`.

    Raises:
        FrontEndError: an unknown name, or weights that are absent or not the pinned ones.
    """
    match name:
        case "raw":
            return RawFrontEnd(directory, keep)
        case "pretrained":
            return PretrainedFrontEnd(directory)
        case _:
            raise FrontEndError(
                f"front-end {name!r} given, one of {', '.join(NAMES)} expected; "
                "features of an archive have no front-end, so no recording can be encoded with them"
            )


def has_weights(name: str, directory: Path) -> bool:
    """Say whether the files that a front-end reads of the directory are there; they are not checked."""
    return name != PretrainedFrontEnd.name or are_pulled(directory)


def pull_absent_weights(name: str, directory: Path, report: Callable[[str], None]) -> None:
    """Download the weights that a front-end needs and the directory lacks, if any; `report` is told before each.

    Raises:
        FrontEndError: they cannot be fetched, or are not the pinned ones.
    """
    if name == PretrainedFrontEnd.name:
        pull_absent(directory, report)
