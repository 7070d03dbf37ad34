"""The name of a front-end, as settings and orders give it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from model.frontends.names import all_names, is_known


def _known(name: str) -> str:
    if not is_known(name):
        raise ValueError(f"{name!r} given, one of {', '.join(all_names())} expected")
    return name


FrontEndName = Annotated[str, AfterValidator(_known)]
