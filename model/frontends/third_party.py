"""Front-ends of other packages: loaded when used, and checked before they compute anything that is kept."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

from model.errors import FrontEndError
from model.frontends.contract import check_front_end
from model.frontends.entry_points import described, entry_points_of
from model.frontends.frontend import FrontEnd


def third_party_front_end(name: str, directory: Path, keep: bool = True) -> FrontEnd | None:
    """Return the front-end that a package offers under a name; None where none does. `keep` as of `check_front_end`.

    Raises:
        FrontEndError: several packages do, or this one cannot be loaded, or breaks the contract.
    """
    points = entry_points_of(name)
    if not points:
        return None
    if len(points) > 1:
        raise FrontEndError(
            f"the front-end {name!r} is offered by {' and by '.join(map(described, points))}, by one expected: "
            "uninstall the others"
        )
    return _made(points[0], directory, keep)


def _made(point: EntryPoint, directory: Path, keep: bool) -> FrontEnd:
    try:
        return check_front_end(point.load()(directory), point.name, directory, keep)
    except FrontEndError as error:
        raise FrontEndError(f"the front-end {point.name!r} of {described(point)} cannot be used: {error}") from error
    except Exception as error:  # it is other people's code
        raise FrontEndError(
            f"the front-end {point.name!r} of {described(point)} cannot be used: {type(error).__name__}: {error}"
        ) from error
