"""AudioSet: ten-second clips of YouTube videos with several labels each.

Gemmeke et al., "Audio Set", ICASSP 2017; https://research.google.com/audioset/download.html describes the lists:
comment lines, then YTID, start_seconds, end_seconds and a quoted list of label ids, which class_labels_indices.csv
(index,mid,display_name) names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.datasets.item import Entry, Remark, Split, bad_row, listed_item
from app.datasets.lists import Line, MediaFolders, lines_of, same_named
from model.errors import DatasetError

LISTS = "*_segments.csv"
NAMES = "class_labels_indices.csv"
FOLDERS = ("", "audio", "video", "videos")


def read(directory: Path) -> Iterator[Entry]:
    """Yield the rows of all lists, those of eval_segments.csv as test and the others as train; the first label counts.

    YTID_START.EXT is the clip, its start in seconds or milliseconds; of a whole video, YTID.EXT, the clip is the event.
    """
    lists = same_named(directory, LISTS)
    if not lists:
        raise DatasetError(f"{directory} holds no {LISTS}")
    names = dict[str, str]()
    if (directory / NAMES).is_file():
        yield from _read_names(directory / NAMES, names)
    else:
        yield Remark(f"without {NAMES} the labels are ids such as /m/09x0r")
    for path in lists:
        split: Split = "test" if path.name.startswith("eval") else "train"
        part = path.stem.removesuffix("_segments")
        folders = MediaFolders(directory, (*FOLDERS, part, path.stem, *(f"{kind}/{part}" for kind in FOLDERS[1:])))
        for line in lines_of(path):
            if not line.text.startswith("#"):
                yield _entry(line, names, folders, split)


def _entry(line: Line, names: Mapping[str, str], folders: MediaFolders, split: Split) -> Entry:
    try:
        video_id, start, end, ids = line.columns()
        start_s, end_s = float(start), float(end)
        milliseconds = round(1000 * start_s)
    except (ValueError, OverflowError, csv.Error):
        return bad_row(line.where, "YTID, start_seconds, end_seconds and a quoted list of labels expected")
    labels = tuple(names.get(label, label) for text in ids.split(",") if (label := text.strip()))
    if not labels:
        return bad_row(line.where, "no label given, at least one expected")
    clip = folders.find(f"{video_id}_{start_s:g}", f"{video_id}_{start}", f"{video_id}_{milliseconds}")
    found, name = clip or folders.find(video_id), f"{video_id}_{start_s:g}"
    return listed_item(line.where, found, name, labels, start_s, end_s, split, cut=clip is not None)


def _read_names(path: Path, names: dict[str, str]) -> Iterator[Entry]:
    for line in lines_of(path):
        try:
            _, label_id, name = line.columns()
        except (ValueError, csv.Error):
            yield bad_row(line.where, "index, mid and display_name expected")
        else:
            names[label_id] = name
