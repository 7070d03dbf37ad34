"""VoxCeleb 1 and 2: utterances of celebrities; the identity is the class. They differ in length.

Nagrani et al., "VoxCeleb: A Large-scale Speaker Identification Dataset", Interspeech 2017; Chung et al., "VoxCeleb2",
Interspeech 2018. https://www.robots.ox.ac.uk/~vgg/data/voxceleb/ has iden_split.txt: 1 (train), 2 (validation) or
3 (test), a blank, idXXXXX/VIDEO/NNNNN.wav. Faces beside the sound: app/datasets/voxceleb_faces.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from app.datasets.item import Entry, Split, bad_row, listed_item
from app.datasets.lists import Line, MediaFolders, lines_of, same_named
from app.datasets.voxceleb_faces import Faces

LIST = "iden_split.txt"
SPLITS: dict[str, Split] = {"1": "train", "2": "train", "3": "test"}  # as in the study of 2022 that is repeated here
PARTS: dict[str, Split] = {"": "", "dev": "train", "test": "test"}
KINDS = ("", "mp4", "wav", "aac")
ENDINGS = ("mp4", "wav", "m4a")  # a talking face before its sound alone
UTTERANCE = re.compile(r"((id\d+)/[^/.]+/\d+)\.\w+")


def read(directory: Path) -> Iterator[Entry]:
    """Yield the rows of iden_split.txt; without it, as VoxCeleb2 has none, all utterances, split by dev/ and test/.

    Sounds come with the faces that lie beside them.
    """
    faces = Faces(directory)
    yield from faces.read_people()
    for entry in _utterances(directory):
        yield faces.beside(entry)
    yield from faces.counted()


def _utterances(directory: Path) -> Iterator[Entry]:
    if (directory / LIST).is_file():
        folders = MediaFolders(directory, (f"{part}/{kind}" for part in PARTS for kind in KINDS))
        for line in lines_of(directory / LIST):
            yield _entry(line, folders)
    else:
        for part, split in PARTS.items():
            for kind in KINDS:
                yield from _walk(directory / part / kind, split)


def _entry(line: Line, folders: MediaFolders) -> Entry:
    number, _, path = line.text.strip().partition(" ")
    utterance = UTTERANCE.fullmatch(path.strip())
    if number not in SPLITS or utterance is None:
        return bad_row(line.where, f"{line.text!r} given, 1, 2 or 3 and idXXXXX/VIDEO/NNNNN.wav expected")
    found = folders.find(utterance[1], endings=ENDINGS)
    return listed_item(line.where, found, utterance[1], (utterance[2],), split=SPLITS[number])


def _walk(directory: Path, split: Split) -> Iterator[Entry]:
    """Yield the utterances of a folder, one person after the other; one that is there twice is taken as a film."""
    folders = MediaFolders(directory, ("",))
    for video in sorted(path for path in directory.glob("id*/*") if path.is_dir()):
        person = video.parent.name
        found = (UTTERANCE.fullmatch(f"{person}/{video.name}/{path.name}") for path in same_named(video, "*"))
        for name in sorted({utterance[1] for utterance in found if utterance}):
            if path := folders.find(name, endings=ENDINGS):
                yield listed_item(str(path), path, name, (person,), split=split)
