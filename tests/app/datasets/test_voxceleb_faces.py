"""Faces beside VoxCeleb's sounds: whose they are, how they are spread over the seconds, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_samples import tone, write_picture, write_sound
from service_samples import Command

from app.datasets.feature_archive import features_of, write_archive
from app.datasets.item import Entry, Fault, Item, Remark
from app.datasets.registry import DATASETS
from app.datasets.voxceleb_faces import Person, people_of
from app.library.source import Outcome
from model.data.archive import load_archive
from model.errors import MediaError
from model.frontends.raw import RawFrontEnd

ONE, TWO = "id10001/-aaaaaaaaaa", "id10002/bbbbbbbbb_b"
HEAD = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"


def write_utterances(root: Path, seconds: dict[str, float]) -> None:
    """Write sounds of these lengths in the layout of VoxCeleb1, and iden_split.txt, of training all."""
    for name, length_s in seconds.items():
        (root / "wav" / name).parent.mkdir(parents=True, exist_ok=True)
        write_sound(root / "wav" / f"{name}.wav", tone(length_s), 16000)
    (root / "iden_split.txt").write_text("".join(f"1 {name}.wav\n" for name in seconds))


def write_faces(folder: Path, greys: list[int]) -> None:
    """Write pictures of one grey each, numbered by the frames of 25 a second."""
    folder.mkdir(parents=True)
    for number, grey in enumerate(greys, start=1):
        write_picture(folder / f"{25 * number:07d}.jpg", np.full((40, 30, 3), grey, np.uint8))


def read(root: Path) -> list[Entry]:
    return list(DATASETS["voxceleb"].entries(root))


def faces_of(root: Path) -> dict[str, list[str]]:
    return {e.name: [face.name for face in e.faces] for e in read(root) if isinstance(e, Item)}


def greys_of(item: Item, seconds: int = 10) -> list[int]:
    return np.rint(255 * features_of(RawFrontEnd(), item, seconds).visual.mean(axis=(1, 2, 3))).astype(int).tolist()


@pytest.mark.parametrize(
    "home", ["unzippedFaces/A.B._Someone/1.6", "unzippedFaces/id10001", "faces/id10001", "id10001"]
)
def test_the_faces_of_a_video_are_dealt_to_its_utterances(home: str, tmp_path: Path) -> None:
    """In order and evenly, from the published folders by name or from folders by id; who has none is sound alone."""
    write_utterances(tmp_path, {f"{ONE}/00001": 1.0, f"{ONE}/00002": 1.0, f"{TWO}/00001": 1.0})
    (tmp_path / "vox1_meta.csv").write_text(f"{HEAD}\nid10001\tA.B._Someone.\tm\tNew Zealand\tdev\n")
    write_faces(tmp_path / home / "-aaaaaaaaaa", [50, 60, 70, 80, 90])
    assert faces_of(tmp_path) == {
        f"{ONE}/00001": ["0000025.jpg", "0000050.jpg"],
        f"{ONE}/00002": ["0000075.jpg", "0000100.jpg", "0000125.jpg"],
        f"{TWO}/00001": [],
    }
    (told,) = [e.text for e in read(tmp_path) if isinstance(e, Remark)]
    assert told.startswith("2 of 3 sounds have faces")


def test_where_faces_are_fewer_than_utterances_neighbours_share_one(tmp_path: Path) -> None:
    """None is left without."""
    write_utterances(tmp_path, {f"{ONE}/0000{n}": 1.0 for n in range(1, 5)})
    write_faces(tmp_path / "faces" / ONE, [50, 60])
    assert list(faces_of(tmp_path).values()) == [[f"00000{n}.jpg"] for n in (25, 25, 50, 50)]


def test_an_utterances_own_faces_come_before_those_of_its_video(tmp_path: Path) -> None:
    """A folder of the utterance's number, beside the sound or beside other faces; other files are no faces."""
    write_utterances(tmp_path, {f"{ONE}/00001": 1.0, f"{TWO}/00001": 1.0})
    write_faces(tmp_path / "wav" / ONE / "00001", [50, 60, 70])
    write_faces(tmp_path / "faces" / ONE, [80])
    write_faces(tmp_path / "faces" / TWO / "00001", [90])
    (tmp_path / "wav" / ONE / "00001" / "notes.txt").write_text("no face")
    assert [len(faces) for faces in faces_of(tmp_path).values()] == [3, 1]


def test_faces_are_numbered_whatever_their_names_are_filled_up_with(tmp_path: Path) -> None:
    """Frame 9 comes before frame 10."""
    write_utterances(tmp_path, {f"{ONE}/00001": 1.0})
    (tmp_path / "faces" / ONE).mkdir(parents=True)
    for name in ("10.png", "9.png"):
        write_picture(tmp_path / "faces" / ONE / name)
    assert faces_of(tmp_path)[f"{ONE}/00001"] == ["9.png", "10.png"]


@pytest.mark.parametrize(
    ("greys", "expected"),
    [
        ([40, 80, 120, 160], [40, 80, 120, 160]),
        ([40, 80], [40, 40, 80, 80]),
        ([200], [200] * 4),
        (list(range(20, 180, 20)), [40, 80, 120, 160]),  # eight faces, of which each second has that of its middle
    ],
)
def test_more_or_fewer_faces_than_seconds_are_spread_evenly(
    greys: list[int], expected: list[int], tmp_path: Path
) -> None:
    """A second has the face that is nearest to its middle; so has one of an archive that ends before the sound."""
    write_utterances(tmp_path, {f"{ONE}/00001": 4.0})
    write_faces(tmp_path / "faces" / ONE, greys)
    (item,) = [entry for entry in read(tmp_path) if isinstance(entry, Item)]
    np.testing.assert_allclose(greys_of(item), expected, atol=2)
    np.testing.assert_allclose(greys_of(item, 2), expected[:2], atol=2)


def test_an_archive_has_voices_with_their_faces(tmp_path: Path) -> None:
    """Seconds are seen where there are faces; an item with a face that cannot be read is named, the rest is taken."""
    names = {f"{ONE}/00001": 2.0, f"{ONE}/00002": 2.0, f"{TWO}/00001": 2.0}
    write_utterances(tmp_path, names)
    write_faces(tmp_path / "faces" / ONE / "00001", [60, 120])
    write_faces(tmp_path / "faces" / ONE / "00002", [60])
    (tmp_path / "faces" / ONE / "00002" / "0000025.jpg").write_bytes(b"no picture")
    items = [entry for entry in read(tmp_path) if isinstance(entry, Item)]
    with pytest.raises(MediaError, match=r"0000025\.jpg"):
        features_of(RawFrontEnd(), items[1], 2)
    outcomes: list[Outcome] = []
    rows = write_archive(tmp_path / "a.npz", RawFrontEnd(), items, 3, outcomes.append)
    archive = load_archive(tmp_path / "a.npz")
    assert [(outcome.state, outcome.video_id) for outcome in outcomes] == [
        ("added", f"{ONE}/00001"),
        ("failed", f"{ONE}/00002"),
        ("added", f"{TWO}/00001"),
    ]
    np.testing.assert_array_equal(archive.heard, [[1, 1, 0], [1, 1, 0]])
    np.testing.assert_array_equal(archive.seen, [[1, 1, 0], [0, 0, 0]])
    assert archive.classes == ("id10001", "id10002")
    assert not any(item.faces for item in rows.items)


def test_people_are_read_and_bad_rows_are_named(tmp_path: Path) -> None:
    """An identity that is no id, a name that leads elsewhere, an unknown part; without a list there is nobody."""
    assert list(people_of(tmp_path)) == []
    rows = ["id10001\tA\tm\tUSA\tdev", "id10002\tB", "one\tC\tm\tUSA\tdev", "id10003\t../D\tm\tUSA\tdev"]
    (tmp_path / "vox1_meta.csv").write_text("\n".join([HEAD, *rows, "id10004\tE\tm\tUSA\tval", "id10005"]))
    found = list(people_of(tmp_path))
    assert found[:2] == [Person("id10001", "A", "dev"), Person("id10002", "B", "")]
    assert [f.name for f in found[2:] if isinstance(f, Fault)] == [f"vox1_meta.csv, line {n}" for n in (4, 5, 6, 7)]
    write_utterances(tmp_path, {f"{ONE}/00001": 1.0})
    assert [e.code for e in read(tmp_path) if isinstance(e, Fault)] == ["bad_row"] * 4


def test_published_faces_without_the_list_of_names_are_told(tmp_path: Path) -> None:
    """Nobody knows whose they are."""
    write_utterances(tmp_path, {f"{ONE}/00001": 1.0})
    write_faces(tmp_path / "unzippedFaces" / "Someone" / "1.6" / "-aaaaaaaaaa", [50])
    (told,) = [e.text for e in read(tmp_path) if isinstance(e, Remark)]
    assert "vox1_meta.csv" in told
    assert faces_of(tmp_path) == {f"{ONE}/00001": []}


def test_the_command_makes_an_archive_of_voices_and_faces(tmp_path: Path, echolens: Command) -> None:
    """Which can be trained on: every second has both."""
    write_utterances(tmp_path, {f"{ONE}/00001": 2.0, f"{TWO}/00001": 2.0})
    for video in (ONE, TWO):
        write_faces(tmp_path / "faces" / video, [60, 120])
    out = tmp_path / "out.npz"
    ran = echolens("dataset", "voxceleb", tmp_path, "--archive", out, "--frontend", "raw", "--library", tmp_path / "l")
    assert ran.code == 0, ran.err
    corpus = load_archive(out).corpus("train")
    assert corpus.paired.all()
    assert len(corpus.video) == 4
