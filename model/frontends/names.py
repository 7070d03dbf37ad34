"""The names of the front-ends, for those who need nothing else of them."""

from __future__ import annotations

from typing import Literal, get_args

FrontEndName = Literal["raw", "pretrained"]
NAMES: tuple[FrontEndName, ...] = get_args(FrontEndName)
OF_REAL_FOOTAGE: FrontEndName = "pretrained"  # of a new library, unless told otherwise
OF_DRAWN_CLIPS: FrontEndName = "raw"  # of the demonstration
