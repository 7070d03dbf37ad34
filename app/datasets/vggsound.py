"""VGGSound: ten-second clips of YouTube videos, one label each.

Chen et al., "VGGSound: A Large-scale Audio-Visual Dataset", ICASSP 2020; vggsound.csv of
https://www.robots.ox.ac.uk/~vgg/data/vggsound/ has no header: YouTube id, first second, label, train or test. Clips
are named as its tools name them, ID_000030.mp4, or by milliseconds, ID_30000_40000.mp4.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from app.datasets.item import Entry, Split, bad_row, listed_item
from app.datasets.lists import Line, MediaFolders, lines_of

CLIP_S = 10
LIST = "vggsound.csv"
SPLITS: dict[str, Split] = {"train": "train", "test": "test"}
FOLDERS = ("", "video", "videos", "train", "test", "video/train", "video/test", "videos/train", "videos/test")


def read(directory: Path) -> Iterator[Entry]:
    """Yield the rows of the list; of a whole video, ID.mp4, its ten seconds are the event."""
    folders = MediaFolders(directory, FOLDERS)
    for line in lines_of(directory / LIST):
        yield _entry(line, folders)


def _entry(line: Line, folders: MediaFolders) -> Entry:
    try:
        video_id, start, label, split = line.columns()
        start_s, end_s = int(start), float(int(start) + CLIP_S)
    except (ValueError, OverflowError, csv.Error):
        return bad_row(line.where, "YouTube id, first second, label and train or test expected")
    if split not in SPLITS:
        return bad_row(line.where, f"the split {split!r} given, train or test expected")
    name = f"{video_id}_{start_s:06d}"
    clip = folders.find(name, f"{video_id}_{1000 * start_s}_{1000 * (start_s + CLIP_S)}")
    found = clip or folders.find(video_id)
    return listed_item(line.where, found, name, (label,), start_s, end_s, SPLITS[split], cut=clip is not None)
