"""One path from bytes to features: ingest, training and queries see the same numbers, to the last bit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from media_samples import tone, write_sound, write_video
from service_samples import Command, film

from app.footage import all_videos, corpus_of
from app.query import Timings, encode_segments, read_query
from app.session import Session
from model.encoder import Encoder
from model.features import Features
from model.frontends.frontend import FrontEnd
from model.latents import Latents
from model.media import Limits
from model.msvae import Modality


@dataclass
class Recorder:
    """Stand where a query's session stands, with the real front-end, and keep what reaches the encoder."""

    front_end: FrontEnd
    seen: list[np.ndarray] = field(default_factory=list)

    def latents(self, modality: Modality, features: np.ndarray) -> Latents:
        self.seen.append(features)
        return Latents(*(np.zeros((len(features), 1), np.float32) for _ in range(3)))


def write_media(directory: Path) -> None:
    directory.mkdir()
    film(directory / "a.mp4", 0, 0, 3.0)
    write_video(directory / "b.webm", 2.6, frame_rate_hz=30)
    write_sound(directory / "c.mp3", np.stack([tone(2.7, 44100), tone(2.7, 44100, 900.0)], axis=1), 44100)


def query_features(recorder: Recorder, path: Path, at_s: float, modality: Modality) -> np.ndarray:
    """Return what a query for one second hands to the encoder."""
    _, segments = read_query(path, Limits(), at_s, modality)
    encode_segments(recorder.front_end, cast(Encoder, recorder), segments, modality, Timings())
    (row,) = recorder.seen.pop()
    return cast(np.ndarray, row)


def check(library: Path) -> None:
    """Compare every second of every video on the three ways, and once more with the cache gone."""
    with Session.open(library, torch.device("cpu"), create=False) as session:
        corpus = corpus_of(session)
        recorder = Recorder(session.front_end)
        compared = 0
        for number, video in enumerate(all_videos(session)):
            kept = Features.load(session.library.features_path(video.sha256, session.front_end.identity))
            trained = corpus.video == number
            assert kept.audio.tobytes() == corpus.audio[trained].tobytes()
            assert kept.visual.tobytes() == corpus.visual[trained].tobytes()
            for row, start_s in enumerate(kept.start_s.tolist()):
                modalities: list[tuple[Modality, bool]] = [("audio", kept.heard[row]), ("visual", kept.seen[row])]
                for modality, there in modalities:
                    if there:
                        asked = query_features(recorder, Path(video.path), start_s + 0.3, modality)
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
    assert echolens("ingest", tmp_path / "media", "--library", tmp_path / "library").code == 0
    check(tmp_path / "library")


@pytest.mark.shared
def test_pretrained_features_are_the_same_on_every_path(tmp_path: Path, shared: Path, echolens: Command) -> None:
    """`pretrained`, with the weights that `frontends pull --from` put in place."""
    pytest.importorskip("ai_edge_litert")
    write_media(tmp_path / "media")
    library = tmp_path / "library"
    assert echolens("frontends", "pull", "--from", shared / "frontends", "--library", library).code == 0
    ran = echolens("ingest", tmp_path / "media", "--library", library, "--frontend", "pretrained")
    assert ran.code == 0, ran.err
    check(library)
