"""All figures of a model and the data it is judged on, in one directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import FigureError
from model.figures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("latents.png", "clusters.png", "curves.png", "localization.png")


@dataclass(frozen=True)
class FiguresPage:
    """Hold the files written, and a note for each figure that was left out."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def require_matplotlib() -> None:
    """Raise FigureError where it is not installed: nothing but pictures needs it, so it is an extra."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise FigureError(
            "the figures are drawn by matplotlib, which is not installed: pip install matplotlib"
        ) from error


def draw_page(directory: Path, subject: Subject, progress: Callable[[str], None] = lambda _: None) -> FiguresPage:
    """Write FIGURES into a directory, made where it is absent.

    A figure that cannot be drawn is left out, with a note; one of that name from an earlier run is removed, since
    it would pass for this one. `progress` is called with each name.

    Raises:
        FigureError: the directory cannot be made or written to.
    """
    from model.figures.canvas import paper, save  # matplotlib and scikit-learn cost a second: not every command pays

    _prepare(directory)
    files, notes = [], []
    with paper():
        for name, draw in zip(FIGURES, _drawers(subject), strict=True):
            path = directory / name
            try:
                figure = draw()
            except FigureError as error:
                path.unlink(missing_ok=True)
                notes.append(f"{name} is left out: {error}")
            else:
                save(figure, path)
                files.append(path)
            progress(name)
    return FiguresPage(tuple(files), tuple(notes))


def _drawers(subject: Subject) -> tuple[Callable[[], Figure], ...]:
    from model.figures.curves import draw_curves
    from model.figures.maps import Maps, draw_clusters, draw_latents
    from model.figures.matrices import draw_matrices

    maps = cache(lambda: Maps.of(subject))
    return (
        lambda: draw_latents(maps()),
        lambda: draw_clusters(maps()),
        lambda: draw_curves(subject),
        lambda: draw_matrices(subject),
    )


def _prepare(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise FigureError(f"{directory} is a file; a directory for the pictures, existing or not, is expected")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FigureError(f"{directory} cannot be made ({error.strerror}); name another directory") from error
