"""One path from bytes to features: ingest, training and queries see the same numbers, to the last bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from media_samples import tone, write_sound, write_video
from service_samples import Command, film

from app.library.features import corpus_of
from app.library.session import Session
from app.media.decoding import decode_query
from model.data.features import Features
from model.media.medium import Limits
from model.modality import Modality


def write_media(directory: Path) -> None:
    directory.mkdir()
    film(directory / "a.mp4", 0, 0, 3.0)
    write_video(directory / "b.webm", 2.6, frame_rate_hz=30)
    write_sound(directory / "c.mp3", np.stack([tone(2.7, 44100), tone(2.7, 44100, 900.0)], axis=1), 44100)


def query_features(session: Session, path: Path, at_s: float, modality: Modality) -> np.ndarray:
    """Return what a query for one second hands to the encoder, of that second."""
    track = session.decoder.submit(decode_query, path, Limits(), at_s, modality).result().query
    (row,) = track.rows[track.start_s == track.about_s]
    return cast(np.ndarray, row)


def check(library: Path) -> None:
    """Compare every second of every video on the three ways, and once more with the cache gone."""
    with Session.open(library, torch.device("cpu"), create=False) as session:
        corpus = corpus_of(session)
        compared = 0
        for number, video in enumerate(session.library.catalogue.every_video()):
            kept = Features.load(session.library.features_path(video.sha256, session.front_end.identity))
            trained = corpus.video == number
            assert kept.audio.tobytes() == corpus.audio[trained].tobytes()
            assert kept.visual.tobytes() == corpus.visual[trained].tobytes()
            for row, start_s in enumerate(kept.start_s.tolist()):
                modalities: list[tuple[Modality, bool]] = [("audio", kept.heard[row]), ("visual", kept.seen[row])]
                for modality, there in modalities:
                    if there:
                        asked = query_features(session, Path(video.path), start_s + 0.3, modality)
                        assert asked.tobytes() == getattr(kept, modality)[row].tobytes()
                        compared += 1
        assert compared == 6 + 6 + 3
        shutil.rmtree(session.library.cache)
        again = corpus_of(session)
        assert again.audio.tobytes() == corpus.audio.tobytes()
        assert again.visual.tobytes() == corpus.visual.tobytes()


def test_raw_features_are_the_same_on_every_path(tmp_path: Path, echolens: Command) -> None:
    """`raw`: the cache that ingest wrote, the corpus that training reads, and a query for each second."""
    write_media(tmp_path / "media")
    assert echolens("ingest", tmp_path / "media", "--frontend", "raw", "--library", tmp_path / "library").code == 0
    check(tmp_path / "library")


@pytest.mark.shared
def test_pretrained_features_are_the_same_on_every_path(tmp_path: Path, shared: Path, echolens: Command) -> None:
    """`pretrained`, with the weights that `frontends pull --from` put in place."""
    write_media(tmp_path / "media")
    library = tmp_path / "library"
    assert echolens("frontends", "pull", "--from", shared / "frontends", "--library", library).code == 0
    ran = echolens("ingest", tmp_path / "media", "--library", library, "--frontend", "pretrained")
    assert ran.code == 0, ran.err
    check(library)
