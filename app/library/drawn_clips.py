"""The demonstration's drawn clips, and what a model that knows them alone must say about other footage."""

from __future__ import annotations

from index.catalogue import Catalogue
from model.frontends.names import OF_REAL_FOOTAGE
from model.network.checkpoint import Checkpoint

FOLDER = "demonstration"  # of the library's media: the clips that the demonstration drew


def warnings_of(catalogue: Catalogue, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return a warning where a model of the drawn clips' front-end has learnt from none of the library's own footage.

    Reads the ids of all videos.
    """
    own, videos = catalogue.videos_outside(f"media/{FOLDER}")
    if not own or checkpoint.trained_on(own):
        return ()
    is_footage = "is other footage" if len(own) == 1 else "are other footage"
    return (
        f"this model knows only drawn clips; {len(own)} of {videos} videos {is_footage}, which it cannot judge: change "
        f"with: echolens library reencode --frontend {OF_REAL_FOOTAGE} --library DIR",
    )
