"""AVE, audio-visual events: ten-second videos, an event marked in each.

Tian et al., "Audio-Visual Event Localization in Unconstrained Videos", ECCV 2018; the lists and their readme come
with https://github.com/YapengTian/AVE-ECCV18. A video may be listed twice, with two events. One published row has an
event of no length (Church bell, 0 to 0 s): it is a bad row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.datasets.item import Entry, Fault, Remark, Split, bad_row, listed_item
from app.datasets.lists import Line, MediaFolders, lines_of
from model.data.archive import AVE_ANNOTATIONS, AVE_FIELDS, AVE_FILES, AVE_SPLITS, UNREADABLE, read_ave_order

SETS: dict[Split, str] = {"train": "trainSet.txt", "val": "valSet.txt", "test": "testSet.txt"}
FOLDERS = ("AVE", "", "videos", "video")
Row = tuple[str, ...]


def read(directory: Path) -> Iterator[Entry]:
    """Yield the rows of the annotation file.

    The split is that of the *Set.txt, as in the paper; of the *_order.h5 where there is none. Rows of which the two
    say otherwise are told.
    """
    by_text, by_order = dict[Row, Split](), dict[int, Split]()
    yield from _read_sets(directory, by_text)
    yield from _read_orders(directory, by_order)
    if all((directory / name).is_file() for name in AVE_FILES.values()):
        yield Remark(f"{directory} holds extracted features, too: train --archive {directory} reads them as they are")
    folders, unlike, rows = MediaFolders(directory, FOLDERS), list[str](), 0
    for row, line in enumerate(_data_lines(directory / AVE_ANNOTATIONS)):
        rows += 1
        fields = line.text.split("&")
        split = by_text.get(tuple(fields), "") if by_text else by_order.get(row, "")
        if by_text and by_order and split != by_order.get(row, ""):
            unlike.append(f"{line.where}: {split or 'none'}, {by_order.get(row) or 'none'} by its number")
        yield _entry(line, fields, folders, split)
    if by_text or by_order:
        yield Remark(f"the splits are those of {' '.join(SETS.values() if by_text else AVE_SPLITS.values())}")
    if unlike:
        yield Remark(f"{len(unlike)} of {rows} rows have another split by {' '.join(AVE_SPLITS.values())}: {unlike[0]}")


def _entry(line: Line, fields: list[str], folders: MediaFolders, split: Split) -> Entry:
    if len(fields) != 5:
        return bad_row(line.where, f"{len(fields)} fields given, {AVE_FIELDS} expected")
    category, video_id, _, start, end = fields
    try:
        start_s, end_s = float(start), float(end)
    except ValueError:
        return bad_row(line.where, f"the times {start!r} and {end!r} given, seconds expected")
    return listed_item(line.where, folders.find(video_id), video_id, (category,), start_s, end_s, split)


def _data_lines(path: Path) -> Iterator[Line]:
    """Yield the lines without the header, which a file may have."""
    for line in lines_of(path):
        if line.number > 1 or "&VideoID&" not in line.text:
            yield line


def _read_sets(directory: Path, by_text: dict[Row, Split]) -> Iterator[Fault]:
    for split, name in SETS.items():
        if (directory / name).is_file():
            for line in _data_lines(directory / name):
                fields = tuple(line.text.split("&"))
                if len(fields) == 5:
                    by_text[fields] = split
                else:
                    yield bad_row(line.where, f"{len(fields)} fields given, {AVE_FIELDS} expected")


def _read_orders(directory: Path, by_order: dict[int, Split]) -> Iterator[Fault]:
    for split in SETS:
        path = directory / AVE_SPLITS[split]
        if path.is_file():
            try:
                by_order |= dict.fromkeys(read_ave_order(path).tolist(), split)
            except UNREADABLE as error:
                yield Fault(path.name, "bad_list", f"{path.name} cannot be read ({error}); copy it again")
