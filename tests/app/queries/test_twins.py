"""Twins: copies of a video fold into the better hit, other videos and neighbouring seconds never do."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from catalogue_samples import video
from service_samples import film_footage, make_library, serving

from app.library.session import Session
from app.queries import twins
from app.queries.engine import answer
from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Retrieval
from app.queries.twins import better_of
from index.records import LatentTable
from model.data.latents import Latents
from model.media.medium import FOOTAGE

CLIPS, CLIP_S = 12, 6


def table(copies: dict[str, float], noise: float = 0.05, seed: int = 0) -> LatentTable:
    """Clips whose seconds lie around places of their own; `copies` of clip 0 by name, moved by so much of a step."""
    random = np.random.default_rng(seed)
    places = random.normal(size=(CLIPS, 8)) * 4
    clips = {f"{n:02d}": places[n] + random.normal(size=(CLIP_S, 8)) for n in range(CLIPS)}
    clips |= {name: clips["00"] + random.normal(size=(CLIP_S, 8)) * far for name, far in copies.items()}
    n = len(clips) * CLIP_S
    mu = np.concatenate(list(clips.values())).astype(np.float32)
    return LatentTable(
        ids=np.arange(n),
        video_numbers=np.repeat(np.arange(len(clips)), CLIP_S),
        start_s=np.tile(np.arange(CLIP_S), len(clips)),
        heard=np.ones(n, bool),
        seen=np.ones(n, bool),
        latents=Latents(mu, np.ones_like(mu), np.zeros((n, 1), np.float32)),
        fingerprint=None,
        catalogue_version=1,
        videos={name: video(number) for number, name in enumerate(clips)},
        concepts=np.zeros((n, 0), np.uint8),
    )


def folded(held: LatentTable, rows: np.ndarray) -> np.ndarray:
    return better_of(held, rows, held.latents[rows])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_copies_fold_into_the_second_that_they_copy_whatever_the_scale(scale: float) -> None:
    """Each second of two copies becomes the twin of the same second; no other second becomes one, however near."""
    held = table({"a copy": 0.05, "b copy": 0.05})
    held.latents.mu[:] *= scale
    held.latents.sigma[:] *= scale
    better = folded(held, np.arange(len(held.ids)))
    copied = len(held.ids) - 2 * CLIP_S
    assert better[:copied].tolist() == list(range(copied))
    assert better[copied:].tolist() == list(range(CLIP_S)) * 2


def test_seconds_of_one_video_are_no_twins_even_if_they_are_alike() -> None:
    """A picture that stands still gives as many hits as it has seconds: merge_adjacent is for those."""
    held = table({})
    held.latents.mu[:CLIP_S] = held.latents.mu[0]
    assert folded(held, np.arange(CLIP_S)).tolist() == list(range(CLIP_S))


def test_without_hits_there_are_no_twins() -> None:
    """An empty answer stays empty."""
    assert folded(table({"a copy": 0.05}), np.arange(0)).tolist() == []


def test_an_answer_folds_copies_and_still_has_as_many_hits_as_were_asked_for(tmp_path: Path) -> None:
    """A clip that is encoded again, smaller, folds into the better hit; every hit stays in the library's own order."""
    paths = film_footage(tmp_path)
    copy = tmp_path / "copy.avi"
    reencode(paths[0], copy)
    make_library(tmp_path / "lib", [*paths, copy])
    with serving(tmp_path / "lib") as client:
        question = {"segment_id": 2, "target": "visual", "query_modality": "visual", "k": 6}
        plain = client.post("/retrieve", data=question).json()["hits"]
        folded = client.post("/retrieve", data=question | {"fold_twins": "true"}).json()["hits"]
        assert all(hit["twins"] == [] for hit in plain)
        assert {hit["file_name"] for hit in plain} >= {"red-0.mp4", "copy.avi"}
        assert [hit["rank"] for hit in folded] == [1, 2, 3, 4, 5, 6]
        assert folded[0]["segment_id"] == 2
        twins = [(hit["file_name"], hit["start_s"], twin) for hit in folded for twin in hit["twins"]]
        assert ("red-0.mp4", 1) in [(name, start_s) for name, start_s, _ in twins]
        assert {twin["file_name"] for _, _, twin in twins} == {"copy.avi"}
        assert set(twins[0][2]) == {"segment_id", "video_id", "file_name", "start_s"}
        assert "copy.avi" not in {hit["file_name"] for hit in folded[:5]}
        by_video = client.post("/retrieve", data=question | {"fold_twins": "true", "group_by": "video"}).json()["hits"]
        assert [twin["file_name"] for twin in by_video[0]["twins"]] == ["copy.avi"]
        assert len({hit["video_id"] for hit in by_video}) == len(by_video) == len(paths)


def test_twins_are_looked_for_once_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search that folds them says which they are."""
    paths = film_footage(tmp_path)
    reencode(paths[0], tmp_path / "copy.avi")
    make_library(tmp_path / "lib", [*paths, tmp_path / "copy.avi"])
    looked = []
    nearness = twins._nearness
    monkeypatch.setattr(twins, "_nearness", lambda *asked: looked.append(asked) or nearness(*asked))
    question = Question(target="visual", k=3, fold_twins=True)
    with Session.open(tmp_path / "lib", torch.device("cpu"), create=False) as session:
        answered = answer(session, Retrieval(question, Query(segment_id=2, modality="visual")), FOOTAGE)
    assert [twin.video.file_name for twin in answered.hits[0].twins] == ["copy.avi"]
    assert len(looked) == 1


def reencode(source: Path, target: Path) -> None:
    """Write a clip anew as MPEG-4 and MP3."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        picture, sound = write.add_stream("mpeg4", rate=10), write.add_stream("mp3", rate=44100)
        picture.width, picture.height, picture.pix_fmt, picture.bit_rate = 48, 36, "yuv420p", 200_000
        for frame in read.decode(video=0, audio=0):
            is_picture = isinstance(frame, av.VideoFrame)
            made = frame.reformat(48, 36, "yuv420p") if is_picture else frame
            made.pts = None if not is_picture else frame.pts
            made.time_base = frame.time_base
            write.mux((picture if is_picture else sound).encode(made))
        write.mux(picture.encode())
        write.mux(sound.encode())
