"""The front-ends by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model.errors import FrontEndError, NotFinite
from model.frontends.contract import check_front_end
from model.frontends.frontend import FrontEnd
from model.frontends.names import all_names
from model.frontends.pe_av_files import REPOSITORIES, located
from model.frontends.pretrained import PretrainedFrontEnd
from model.frontends.published import has_published
from model.frontends.raw import RawFrontEnd
from model.frontends.third_party import third_party_front_end
from model.frontends.weights import are_pulled, pull_absent


def make_front_end(name: str, directory: Path, keep: bool = True) -> FrontEnd:
    """Return the front-end called `name`; what it reads lies in the directory.

    That is weights for `pretrained`, a filter bank for `raw`, and the known answers of each; the latter two are written
    if they are absent and `keep`. A name that is not built in is looked up among the entry points of the installed
    packages.

    Raises:
        FrontEndError: an unknown name, weights that are absent or not the pinned ones, a package's front-end that
            cannot be loaded, or one that breaks the contract or answers otherwise than before.
    """
    front_end = _built_in(name, directory, keep)
    if front_end is not None:
        try:
            return check_front_end(front_end, name, directory, keep)
        except (FrontEndError, NotFinite) as error:
            raise FrontEndError(f"the front-end {name} cannot be used: {error}") from error
    front_end = third_party_front_end(name, directory, keep)
    if front_end is None:
        raise FrontEndError(
            f"front-end {name!r} given, one of {', '.join(all_names())} expected; a front-end of a package is found "
            "once the package is installed; features of an archive have none, so no recording can be encoded with them"
        )
    return front_end


def _built_in(name: str, directory: Path, keep: bool) -> FrontEnd | None:
    match name:
        case "raw":
            return RawFrontEnd(directory, keep)
        case "pretrained":
            return PretrainedFrontEnd(directory)
        case "paper":
            from model.frontends.paper import PaperFrontEnd  # a question needs no h5py

            return PaperFrontEnd(directory)
        case _ if name in REPOSITORIES:
            from model.frontends.pe_av import PeAvFrontEnd  # transformers takes seconds to import

            return PeAvFrontEnd(name, directory)
    return None


def has_weights(name: str, directory: Path) -> bool:
    """Say whether the files that a front-end reads are there; they are not checked."""
    if name in REPOSITORIES:
        try:
            located(name, directory)
        except FrontEndError:
            return False
    if name == "paper":
        return has_published(directory)
    return name != PretrainedFrontEnd.name or are_pulled(directory)


def pull_absent_weights(name: str, directory: Path, report: Callable[[str], None]) -> None:
    """Download the weights that a front-end needs and the directory lacks, if any; `report` is told before each.

    Those of `pe-av` and `paper` are large: they are never downloaded.

    Raises:
        FrontEndError: they cannot be fetched, or are not the pinned ones.
    """
    if name == PretrainedFrontEnd.name:
        pull_absent(directory, report)
