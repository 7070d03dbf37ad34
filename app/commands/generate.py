"""echolens generate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import LIBRARY_DEFAULT, AudioTrackOption, DeviceOption, JsonOption, LibraryOption
from app.commands.terminal import opened, print_json, say, tell, warn
from model.modality import Modality


def generate_command(
    file: Annotated[Path | None, typer.Argument(help="a sound, picture or video")] = None,
    directory: Annotated[Path | None, typer.Option("--out", help="where the files go; made if it is absent")] = None,
    segment_id: Annotated[int | None, typer.Option(help="a second of the library in place of a file")] = None,
    query_modality: Annotated[Modality | None, typer.Option(help="required for a video")] = None,
    at: Annotated[float | None, typer.Option(help="the second that holds it, else the first ten")] = None,
    audio_track: AudioTrackOption = None,
    library: LibraryOption = LIBRARY_DEFAULT,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write the sound and the look that the model imagines for a query: features.npz, frame.png, sound.wav."""
    import numpy as np

    from app.queries.engine import answer  # brings torch
    from app.queries.generation import Generation
    from app.queries.query import Query
    from app.schemas.generation import GenerateAnswer
    from index.disk import writing
    from model.media.medium import Limits

    if directory is None and not as_json:
        raise typer.BadParameter("give a directory, or --json", param_hint="--out")
    with opened(library, device) as session:
        query = Query(file, segment_id, query_modality, at, audio_track=audio_track)
        imagined = answer(session, Generation(query), Limits())
    if directory is not None:
        with writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
            np.savez(directory / "features.npz", audio=imagined.audio, visual=imagined.visual)
            for name, content in (("frame.png", imagined.frame_png), ("sound.wav", imagined.sound_wav)):
                if content is not None:
                    (directory / name).write_bytes(content)
    if as_json:
        print_json(GenerateAnswer.of(imagined).model_dump(mode="json"))
    else:
        say(f"Written to {directory}")
        warn(imagined.warnings)
        tell(imagined.notes)
