"""Ingest on a Ray cluster: what it makes is what this process alone makes, whatever dies meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from deadly_samples import DEADLY, inspect_or_die
from media_samples import tone, write_sound
from service_samples import Command

from app.library.check import check
from app.library.held_videos import HeldVideos
from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from benchmarks.service.contents import contents_of, differences
from index.library import Library
from model.data.feature_parts import FeatureParts
from model.errors import DecoderDied, WorkerFailure
from model.media.medium import FOOTAGE, Limits

if TYPE_CHECKING:
    from benchmarks.service.ray_cluster import Nodes

CPU = torch.device("cpu")
PART_S = 600


def sources(paths: list[Path]) -> list[Source]:
    return [Source(path, path.name) for path in paths]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, footage: list[Path]) -> list[Path]:
    """Return six clips, a sound of two parts, a copy of a clip, and an empty file among them."""
    directory = tmp_path_factory.mktemp("files")
    long = write_sound(directory / "long.wav", tone(PART_S + 5.0, 8000, 200.0), 8000)
    empty = directory / "empty.mp4"
    empty.touch()
    copy = Path(shutil.copy(footage[1], directory / "copy.mp4"))
    return [*footage[:2], long, empty, copy, *footage[2:]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> tuple[Path, list[Outcome]]:
    """Ingest the files in this process."""
    directory = tmp_path_factory.mktemp("alone") / "library"
    with Session.open(directory, CPU, "raw") as session:
        return directory, ingest(session, sources(files), FOOTAGE, decoders=1)


def cut_off(directory: Path, files: list[Path], keep: bool) -> None:
    """Take in the first part of the long sound alone; with or without the features that it can be gone on with."""
    long = next(file for file in files if file.stem == "long")
    with Session.open(directory, CPU, "raw") as session:
        assert ingest(session, sources([long]), FOOTAGE, stop=lambda: True) == []
        (video,) = session.library.catalogue.every_video()
        if not keep:
            FeatureParts(session.library.features_path(video.sha256, session.front_end.identity)).remove()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Start a cluster of two nodes."""
    from benchmarks.service.ray_cluster import working

    with working(1, 1) as nodes:
        yield nodes


@pytest.mark.ray
def test_the_command_makes_what_one_process_makes(
    tmp_path: Path, files: list[Path], alone: tuple[Path, list[Outcome]], nodes: Nodes, echolens: Command
) -> None:
    """Videos, seconds, features, latents and previews to the last bit; and a second run finds everything known.

    Of the long sound a part is there, with which nothing can be done: it is read from its beginning, beside the rest.
    """
    cut_off(tmp_path / "library", files, keep=False)
    command = ("ingest", "--ray", nodes.address, "--library", tmp_path / "library", "--json", *files)
    ran = echolens(*command, "--frontend", "raw")
    assert ran.code == 5, ran.err  # the empty file
    assert differences(contents_of(tmp_path / "library"), contents_of(alone[0])) == []
    assert check(tmp_path / "library", media=True) == []
    again = echolens(*command)
    assert '"added": 0' in again.out


@pytest.mark.ray
def test_a_dead_node_costs_its_share(
    tmp_path: Path, files: list[Path], alone: tuple[Path, list[Outcome]], nodes: Nodes
) -> None:
    """One of two nodes is killed as the first file comes in: the rest is read anew on the other, nothing differs.

    Of the long sound a part is there: it is gone on with.
    """
    from app.library.cluster_reading import ClusterReader
    from app.processes.cluster import joined

    outcomes: list[Outcome] = []
    cut_off(tmp_path / "library", files, keep=True)

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if len(outcomes) == 1:
            nodes.kill()

    with joined(nodes.address), Session.open(tmp_path / "library", CPU, "raw") as session:
        ingest(session, sources(files), FOOTAGE, done, make_reader=ClusterReader)
    assert [(o.path, o.state, o.code, o.note) for o in outcomes] == [
        (o.path, o.state, o.code, o.note) for o in alone[1]
    ]
    assert differences(contents_of(tmp_path / "library"), contents_of(alone[0])) == []
    assert check(tmp_path / "library", media=True) == []


@pytest.mark.ray
def test_a_file_that_kills_its_process_twice_is_named(
    tmp_path: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a service; the worker of the cluster outlives it, and reads the next file."""
    from app.library import cluster_reading

    deadly = Path(shutil.copy(footage[0], tmp_path / f"{DEADLY}.mp4"))
    monkeypatch.setattr("app.library.reading.inspect", inspect_or_die)
    (tmp_path / "previews").mkdir()
    nothing = HeldVideos(np.array([], "S64"), np.zeros((0, 4), np.int64))
    place = cluster_reading.FrontEndPlace("raw", tmp_path)
    try:
        read = [
            list(cluster_reading.read_file((source, None), place, nothing, tmp_path / "previews", Limits()))
            for source in sources([deadly, footage[0]])
        ]
    finally:
        cluster_reading._workers().close()
        cluster_reading._workers.cache_clear()
    (died,), (begun,) = read
    assert isinstance(died, DecoderDied)
    assert "twice" in str(died)
    assert isinstance(begun, cluster_reading.Begun)
    assert begun.part is not None
    assert begun.part.ended


def test_a_machine_is_told_how_each_video_was_read(tmp_path: Path, footage: list[Path]) -> None:
    """A video that is whole, one that was cut off after a part, and a file that the library does not hold."""
    long = write_sound(tmp_path / "long.wav", tone(PART_S + 5.0, 8000, 200.0), 8000)
    with Session.open(tmp_path / "library", CPU, "raw") as session:
        ingest(session, [Source(footage[0], "a.mp4", audio_track=1)], FOOTAGE)
        ingest(session, [Source(long, "long.wav")], FOOTAGE, stop=lambda: True)
    with Library.open(tmp_path / "library") as library:
        held = HeldVideos.of(library.catalogue)
        for video in library.catalogue.every_video():
            found = held.find_by_sha256(video.sha256)
            assert found is not None
            assert (found.video_id, found.audio_track, found.decoding, found.complete) == (
                video.video_id,
                video.audio_track,
                video.decoding,
                video.complete,
            )
            assert held.end_s(video.video_id) == (0 if video.complete else PART_S)
        assert held.find_by_sha256("0" * 64) is None
        assert held.find_by_sha256("f" * 64) is None


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1", "127.0.0.1:ray"])
def test_without_a_cluster_the_command_says_what_to_do(
    echolens: Command, tmp_path: Path, footage: list[Path], address: str
) -> None:
    """The address of no cluster is refused before anything is read, and at once."""
    ran = echolens("ingest", "--ray", address, "--library", tmp_path / "library", footage[0])
    assert ran.code == 6
    assert "ray start --head" in ran.err


def test_another_release_reads_nothing(tmp_path: Path) -> None:
    """A machine that was left out of an upgrade would write what no later ingest reads again."""
    from app.library.cluster_reading import FrontEndPlace, read_file

    place = FrontEndPlace("raw", tmp_path, release="0.0.1")
    with Library.open(tmp_path / "library") as library:
        videos = HeldVideos.of(library.catalogue)
    (refused,) = read_file((Source(tmp_path / "clip.mp4", "clip.mp4"), None), place, videos, tmp_path, Limits())
    assert isinstance(refused, WorkerFailure)
    assert "0.0.1 expected" in str(refused)
