"""What a library holds, what it is encoded by, and what it can do: what a person wants to know before asking it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from app.library.drawn_clips import FOLDER
from app.library.measurement import MeasuredModel
from app.library.session import Session
from index.catalogue import Catalogue
from index.records import Stats
from model.errors import EcholensError
from model.frontends.frontend import FrontEnd
from model.network.encoder import Encoder

MOST_NAMED = 500  # labels, and folders


@dataclass(frozen=True)
class Holdings:
    """Hold what was counted of one catalogue version; `labels`, `folders`: with how many videos, most first."""

    stats: Stats
    is_demonstration: bool
    labels: tuple[tuple[str, int], ...]
    folders: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Overview:
    """Hold the facts of a library.

    `model`: what it was trained on, None where none serves; `problem` then says why. `calibrated`: it tells how
    probable a match is.
    """

    holdings: Holdings
    model: MeasuredModel | None
    calibrated: bool
    problem: str | None
    can_text: bool
    knows_concepts: bool
    can_imagine: bool
    warnings: tuple[str, ...]


class Overviews:
    """Describe a session's library; what was counted is kept until the catalogue changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last: Holdings | None = None

    def current(self) -> Overview:
        """Return the library as it is."""
        catalogue, last = self._session.library.catalogue, self._last
        if last is None or last.stats.catalogue_version != catalogue.catalogue_version:
            self._last = last = count(catalogue)
        return describe(self._session, last)


def count(catalogue: Catalogue) -> Holdings:
    """Count what there is."""
    others, videos = catalogue.videos_outside(f"media/{FOLDER}")
    return Holdings(
        stats=catalogue.stats(),
        is_demonstration=videos > 0 and not others,
        labels=tuple(catalogue.labels(MOST_NAMED)),
        folders=_folders(path for path in catalogue.paths() if not path.startswith("media/")),
    )


def describe(session: Session, holdings: Holdings) -> Overview:
    """Say what serves, and what it can do."""
    encoder, problem = _encoder(session)
    front_end = None if encoder is None else session.front_end_of(encoder.checkpoint.front_end)
    return Overview(
        holdings=holdings,
        model=None if encoder is None else MeasuredModel.of(encoder.checkpoint),
        calibrated=encoder is not None and encoder.checkpoint.match is not None,
        problem=problem,
        can_text=front_end is not None and front_end.reads_text,
        knows_concepts=front_end is not None and front_end.prior is not None,
        can_imagine=front_end is not None and type(front_end).picture is not FrontEnd.picture,
        warnings=() if encoder is None else session.warnings(encoder),
    )


def _encoder(session: Session) -> tuple[Encoder | None, str | None]:
    """Return the model that serves, or why none does."""
    try:
        return session.encoder, None
    except EcholensError as error:
        return None, str(error)


def _folders(paths: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(str(PurePath(path).parent) for path in paths).most_common(MOST_NAMED))
