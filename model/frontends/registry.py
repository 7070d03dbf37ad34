"""The front-ends by name."""

from __future__ import annotations

from pathlib import Path

from model.errors import FrontEndError
from model.frontends.frontend import FrontEnd
from model.frontends.pretrained import PretrainedFrontEnd
from model.frontends.raw import RawFrontEnd

NAMES = ("raw", "pretrained")


def make_front_end(name: str, weights_directory: Path) -> FrontEnd:
    """Return the front-end called `name`; `pretrained` reads its weights from the directory.

    Raises:
        FrontEndError: an unknown name, or weights that are absent or not the pinned ones.
    """
    match name:
        case "raw":
            return RawFrontEnd()
        case "pretrained":
            return PretrainedFrontEnd(weights_directory)
        case _:
            raise FrontEndError(
                f"front-end {name!r} given, one of {', '.join(NAMES)} expected; "
                "features of an archive have no front-end, so no recording can be encoded with them"
            )
