"""The names of the front-ends, for those who need nothing else of them."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from model.frontends.entry_points import entry_point_names, entry_points_of

NAMES = ("raw", "pretrained", "paper", "pe-av-small", "pe-av-base", "pe-av-large", "pe-av")  # the built-in ones
QUICK_TO_HEAR = ("raw", "pretrained")  # a second of sound in less than a millisecond
OF_REAL_FOOTAGE = "pretrained"  # of a new library, unless told otherwise
OF_DRAWN_CLIPS = "raw"  # of the demonstration


def all_names() -> tuple[str, ...]:
    """Return the names of the built-in front-ends, then those of the installed packages."""
    return (*NAMES, *(name for name in entry_point_names() if name not in NAMES))


def is_known(name: str) -> bool:
    """Say whether a front-end has this name; packages are searched only for one that is not built in."""
    return name in NAMES or name in entry_point_names()


def hidden_entry_points() -> tuple[EntryPoint, ...]:
    """Return the entry points that claim the name of a built-in front-end: they are never used."""
    return tuple(point for name in NAMES for point in entry_points_of(name))
