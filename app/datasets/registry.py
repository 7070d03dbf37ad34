"""The data sets by name: what each expects to lie where, and its reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.datasets import audioset, ave, folder, greatest_hits, jsonl, music, vegas, vggsound, voxceleb
from app.datasets.item import Entry, Reader
from app.datasets.names import DatasetName
from model.errors import DatasetError


@dataclass(frozen=True)
class Dataset:
    """Name a data set, its layout in words, and its reader."""

    name: DatasetName
    layout: str
    reader: Reader

    def entries(self, directory: Path) -> Iterator[Entry]:
        """Yield what the lists of a directory say, one by one. Raises DatasetError where there is no list."""
        try:
            yield from self.reader(directory)
        except DatasetError as error:
            raise self.refusal(str(error)) from error

    def refusal(self, reason: str) -> DatasetError:
        """Return the error of a directory of which nothing can be read."""
        return DatasetError(f"{reason}; {self.name} expects {self.layout} (docs/datasets.md)")


DATASETS: dict[DatasetName, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset("ave", "Annotations.txt and AVE/VIDEO_ID.mp4", ave.read),
        Dataset("vggsound", "vggsound.csv and ID_000030.mp4 beside it, or in video/, train/ or test/", vggsound.read),
        Dataset("audioset", "*_segments.csv, class_labels_indices.csv and YTID_START.EXT or YTID.EXT", audioset.read),
        Dataset("vegas", "CLASS/videos/*.mp4", vegas.read),
        Dataset("voxceleb", "idXXXXX/VIDEO/NNNNN.wav, .m4a or .mp4, and iden_split.txt", voxceleb.read),
        Dataset("music", "MUSIC_solo_videos.json or its like, and ID.mp4", music.read),
        Dataset("greatest-hits", "ID_times.txt and ID_denoised.mp4 or ID_mic.mp4", greatest_hits.read),
        Dataset("folder", "a directory of media, perhaps with a CSV file,label", folder.read),
        Dataset("jsonl", "a .jsonl, or a directory that holds one, with an object with path a line", jsonl.read),
    )
}
