"""The faces of VoxCeleb beside its sound: a folder of pictures for each utterance, or for each video.

The published ones (Nagrani et al., "Seeing Voices and Hearing Faces", CVPR 2018) lie in
unzippedFaces/NAME/1.6/VIDEO/*.jpg, one a second; vox1_meta.csv says who NAME is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.datasets.item import Entry, Fault, Item, Remark, bad_row
from app.datasets.lists import lines_of

META = "vox1_meta.csv"
PUBLISHED = "unzippedFaces"
FOLDERS = ("", "faces", PUBLISHED)
SCALE = "1.6"  # by which the published crops are larger than what the detector found
ENDINGS = (".jpg", ".jpeg", ".png")
WITHOUT_PICTURE = (".wav", ".m4a")
ID = re.compile(r"id\d+")


@dataclass(frozen=True)
class Person:
    """Hold a row of vox1_meta.csv; `part`: that of the verification split, of which the identities are disjoint."""

    id: str
    name: str
    part: Literal["dev", "test", ""]


def people_of(directory: Path) -> Iterator[Person | Fault]:
    """Yield who vox1_meta.csv names, with tabs between its columns: id, name, gender, nationality, dev or test."""
    if not (directory / META).is_file():
        return
    for line in lines_of(directory / META):
        columns = [column.strip() for column in line.text.split("\t")]
        if line.number == 1 and not ID.fullmatch(columns[0]):
            continue  # the head
        part = columns[4] if len(columns) > 4 else ""
        if len(columns) > 1 and ID.fullmatch(columns[0]) and _is_name(columns[1]) and part in ("dev", "test", ""):
            yield Person(columns[0], columns[1], part)  # type: ignore[arg-type]
        else:
            yield bad_row(line.where, f"{line.text!r} given, idXXXXX, a name and dev or test expected")


@dataclass
class Faces:
    """Find the faces of utterances, and count them. `names`: what the published folders call an identity."""

    directory: Path
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    with_faces: int = 0
    without: int = 0

    def read_people(self) -> Iterator[Entry]:
        """Read vox1_meta.csv; yield what is wrong with it."""
        for person in people_of(self.directory):
            if isinstance(person, Fault):
                yield person
            else:  # no folder of Windows ends with a dot, as the names of some people do
                self.names[person.id] = tuple(dict.fromkeys((person.name, person.name.rstrip("."))))
        if (self.directory / PUBLISHED).is_dir() and not self.names:
            yield Remark(f"{PUBLISHED} calls people by their names; {META}, which says who they are, is not there")

    def beside(self, entry: Entry) -> Entry:
        """Return an item of sound alone with its faces, in order of time: its own, or else its share of the video's.

        The published pictures do not say which utterance they belong to, so those of a video are dealt out evenly, in
        order; where there are fewer than utterances, neighbours share one.
        """
        if not isinstance(entry, Item) or entry.path.suffix not in WITHOUT_PICTURE:
            return entry
        person, video, utterance = entry.name.split("/")
        homes = [entry.path.parent.parent.parent, *(self.directory / folder for folder in FOLDERS)]
        faces = next(filter(None, (pictures_in(home / person / video / utterance) for home in homes)), ())
        if not faces:
            published = [self.directory / PUBLISHED / name / SCALE for name in self.names.get(person, ())]
            shared = (pictures_in(of / video) for of in (*(home / person for home in homes), *published))
            faces = _share(entry.path, next(filter(None, shared), ()))
        self.with_faces += bool(faces)
        self.without += not faces
        return Item(**vars(entry) | {"faces": faces})

    def counted(self) -> Iterator[Entry]:
        """Yield how many sounds have faces, where any has."""
        if self.with_faces:
            both = self.with_faces + self.without
            yield Remark(
                f"{self.with_faces:,} of {both:,} sounds have faces beside them: an archive takes both, a library "
                "the sound alone"
            )


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder in order of their numbers; none where there is no folder."""
    if not folder.is_dir():
        return ()
    found = (path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    return tuple(sorted(found, key=lambda path: (len(path.stem), path.stem)))


def _share(sound: Path, faces: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return an utterance's part of its video's faces."""
    if not faces:
        return ()
    utterances = sorted(path.name for path in sound.parent.iterdir() if path.suffix == sound.suffix)
    place = utterances.index(sound.name)
    first, after = len(faces) * place // len(utterances), len(faces) * (place + 1) // len(utterances)
    return faces[first : max(after, first + 1)]


def _is_name(text: str) -> bool:
    """Say whether a name can be a folder's, which leads nowhere else."""
    return bool(text) and "/" not in text and text.strip(".") != ""
