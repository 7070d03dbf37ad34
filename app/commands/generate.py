"""echolens generate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.terminal import LIBRARY_DEFAULT, DeviceOption, LibraryOption, opened, out


def generate_command(
    file: Annotated[Path, typer.Argument(help="a sound, picture or video")],
    directory: Annotated[Path, typer.Option("--out", help="made where it is absent")],
    query_modality: Annotated[Literal["audio", "visual"] | None, typer.Option(help="required for a video")] = None,
    at: Annotated[float | None, typer.Option(help="the second that holds it, else the first ten")] = None,
    library: LibraryOption = LIBRARY_DEFAULT,
    device: DeviceOption = "auto",
) -> None:
    """Write the sound and the look that the model imagines for a query: features.npz, frame.png, sound.wav."""
    import numpy as np

    from app.queries.generation import imagine
    from app.queries.retrieval import Question
    from index.disk import writing
    from model.media.medium import Limits

    with opened(library, device) as session:
        generated = imagine(session, Question("audio", file, None, query_modality, at_s=at), Limits()).generated
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        np.savez(directory / "features.npz", audio=generated.audio, visual=generated.visual)
        for name, content in (("frame.png", generated.frame_png), ("sound.wav", generated.sound_wav)):
            if content is not None:
                (directory / name).write_bytes(content)
    out.print(f"Written to {directory}", markup=False, highlight=False, soft_wrap=True)
