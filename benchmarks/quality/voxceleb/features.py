"""From the files of VoxCeleb to a corpus of videos; the identity is the class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from app.datasets.feature_archive import features_of
from app.datasets.item import Fault, Item, Split
from app.datasets.registry import DATASETS
from app.datasets.voxceleb_faces import Person, people_of
from model.data.corpus import Annotation, Corpus
from model.data.features import Features
from model.errors import DatasetError, MediaError
from model.frontends.frontend import FrontEnd


@dataclass(frozen=True, eq=False)
class Videos:
    """Hold the features of N videos and how they are split; `faults` names what could not be taken.

    `split` (N,): train, test or nothing, as iden_split.txt says. `stranger` (N,): the identity is `test` of the
    verification split, as vox1_meta.csv says.
    """

    corpus: Corpus
    split: Shaped[np.ndarray, "N"]
    stranger: Bool[np.ndarray, "N"]
    faults: tuple[str, ...]

    def protocols(self) -> dict[str, tuple[Corpus, Corpus]]:
        """Return what to train on and what to judge, for the protocols that the files allow.

        `seen`: other videos of the identities of training; those of others are left out. `unseen`: other identities.
        """
        found = dict[str, tuple[Corpus, Corpus]]()
        for train, test in ((self.split == "train", self.split == "test"), (~self.stranger, self.stranger)):
            known = test & np.isin(self.corpus.label, self.corpus.label[train])
            name, judged = ("seen", known) if known.any() else ("unseen", test)
            if train.any() and judged.any():
                parts = [self.corpus.of_videos(np.flatnonzero(part)) for part in (train, judged)]
                found.setdefault(name, (parts[0], parts[1]))
        return found


def read_videos(
    directory: Path, front_end: FrontEnd, seconds: int, progress: Callable[[str], None] = lambda _: None
) -> Videos:
    """Return at most so many seconds of each video: its utterances in order, each with the faces beside it.

    Raises:
        DatasetError: nothing can be read.
    """
    videos: dict[tuple[str, Split], list[Features]] = {}
    faults = []
    for entry in DATASETS["voxceleb"].entries(directory):
        if isinstance(entry, Fault):
            faults.append(entry.detail)
        elif isinstance(entry, Item):
            parts = videos.setdefault((entry.name.rpartition("/")[0], entry.split), [])
            if (left := seconds - sum(map(len, parts))) > 0:
                try:
                    parts.append(features_of(front_end, entry, left))
                except MediaError as error:
                    faults.append(f"{entry.name}: {error}")
            if len(parts) == 1:
                progress(entry.name)
    whole = {key: parts for key, parts in videos.items() if parts}
    if not whole:
        raise DATASETS["voxceleb"].refusal(f"{directory} has nothing that can be read")
    strangers = {person.id for person in people_of(directory) if isinstance(person, Person) and person.part == "test"}
    identities = [name.partition("/")[0] for name, _ in whole]
    corpus = Corpus.assemble(
        [
            (Annotation(name, of), _in_a_row(parts))
            for ((name, _), parts), of in zip(whole.items(), identities, strict=True)
        ]
    )
    if not corpus.paired.any():
        raise DatasetError(f"no second of {directory} has both a voice and a face; see docs/datasets.md for the layout")
    split = np.array([split for _, split in whole])
    return Videos(corpus, split, np.isin(identities, list(strangers)), tuple(faults))


def _in_a_row(utterances: list[Features]) -> Features:
    joined = Features.joined(utterances)
    return replace(joined, start_s=np.arange(len(joined)))
