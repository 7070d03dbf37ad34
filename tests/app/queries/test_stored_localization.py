"""Localization by a library's own latents, with a model that takes seconds in their context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media_samples import tone, write_video
from prior_samples import naming_session

from app.library.session import Session
from app.media.decoding import Direction
from app.queries.engine import answer
from app.queries.localization import Localization
from app.queries.stored_localization import StoredLocalization
from app.queries.windows import Located
from model.data.temporal_context import TemporalContext
from model.media.medium import Limits

SCENE_S, KINDS = 2, 3


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write a film of six seconds: two red and low, two green and higher, two blue and high."""

    def frame_at(time_s: float) -> np.ndarray:
        frame = np.full((64, 64, 3), 20, np.uint8)
        frame[..., int(time_s) // SCENE_S] = 220
        return frame

    sound = np.concatenate([tone(SCENE_S, 44100, 300.0 * (1 + kind)) for kind in range(KINDS)])
    return write_video(tmp_path / "film.mp4", SCENE_S * KINDS, frame_rate_hz=10, frame_at=frame_at, samples=sound)


@pytest.fixture
def session(film: Path, tmp_path: Path) -> Iterator[Session]:
    """Take the film into a library whose latents are means over five seconds, with no cut between any two."""
    context = TemporalContext((1.0, 1.0, 1.0), cut=-1.1)
    with naming_session(tmp_path / "library", footage=[film], context=context) as opened:
        yield opened


def ask(session: Session, direction: Direction = "a2v") -> Located:
    (video,) = session.library.catalogue.every_video()
    work = StoredLocalization(video.video_id, direction, query_start_s=2, query_length_s=2)
    return answer(session, work, Limits())


@pytest.mark.parametrize("direction", ["a2v", "v2a"])
def test_seconds_are_taken_alone_as_of_a_file(session: Session, film: Path, direction: Direction) -> None:
    """What the library searches with is blurred over seconds; here it answers as the file would."""
    sent = answer(session, Localization(film, direction, query_start_s=2, query_length_s=2), Limits())
    assert ask(session, direction).matrix == pytest.approx(sent.matrix, rel=1e-3)
    assert ask(session, direction).notes == ()


def test_without_its_features_a_video_answers_less_sharply_and_says_so(session: Session) -> None:
    """The cache may be deleted: the library's latents are left."""
    sharp = ask(session)
    for kept in (session.library.directory / "cache").rglob("*.npz"):
        kept.unlink()
    blurred = ask(session)
    assert blurred.notes[0].startswith("the features of film.mp4 are gone")
    assert len(blurred.notes) == 1
    assert np.ptp(blurred.matrix) < np.ptp(sharp.matrix)
