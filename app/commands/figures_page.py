"""Draw the figures of an evaluation, and show progress in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.terminal import err, progress, say

if TYPE_CHECKING:
    from model.figures.subject import Subject


def show_figures(directory: Path, subject: Subject) -> None:
    """Draw into a directory, and say on standard error which figures were left out and why.

    Raises:
        FigureError: the directory cannot be made or written to.
    """
    from model.figures.page import FIGURES, draw_page

    with progress(len(FIGURES), "figures") as step:
        page = draw_page(directory, subject, step)
    for note in page.notes:
        say(note, err, "yellow")
    drawn = ", ".join(path.name for path in page.files) or "nothing"
    say(f"Drawn in {directory}: {drawn}", err)
