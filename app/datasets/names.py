"""The names of the data sets, for those who need nothing else of them."""

from __future__ import annotations

from typing import Literal, get_args

DatasetName = Literal["ave", "vggsound", "audioset", "vegas", "voxceleb", "music", "greatest-hits", "folder", "jsonl"]
NAMES: tuple[DatasetName, ...] = get_args(DatasetName)
