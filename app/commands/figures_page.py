"""The pictures of an evaluation, drawn while the terminal is told how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.terminal import err, progress

if TYPE_CHECKING:
    from model.figures.subject import Subject


def show_album(directory: Path, subject: Subject) -> None:
    """Draw into a directory, and say on standard error what was left out and why.

    Raises:
        FigureError: the directory cannot be made or written to.
    """
    from model.figures.page import PICTURES, draw_album

    with progress(len(PICTURES), "figures") as step:
        album = draw_album(directory, subject, step)
    for note in album.notes:
        err.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    drawn = ", ".join(path.name for path in album.pictures) or "nothing"
    err.print(f"Drawn in {directory}: {drawn}", markup=False, highlight=False, soft_wrap=True)
