"""What installed packages offer as front-ends. Reading it imports none of them."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

GROUP = "echolens.frontends"


def entry_point_names() -> tuple[str, ...]:
    """Return the names in the group, sorted."""
    return tuple(sorted(entry_points(group=GROUP).names))


def entry_points_of(name: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a name: one, unless packages claim the same."""
    return tuple(entry_points(group=GROUP, name=name))


def described(point: EntryPoint) -> str:
    """Return an entry point and its package, for people."""
    package = f"the package {point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
    return f"{package} (entry point {point.name} = {point.value})"
