"""A folder of media of any names, with or without a CSV of labels: file,label[,event_start_s,event_end_s,split]."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app.datasets.item import Entry, Fault, Item, Remark, Split, bad_row
from app.datasets.lists import lines_of, same_named
from app.library.labels import COLUMNS, label_rows, of_files
from app.library.listing import list_files, refusal
from model.data.archive import SPLITS
from model.data.corpus import Annotation
from model.errors import QueryError


def read(directory: Path) -> Iterator[Entry]:
    """Yield all files of the folder, in the order of their paths; files are named by their path in it.

    A file of which no good row of the CSV speaks has no label.
    """
    directory = Path(os.path.abspath(directory))
    given, splits, csvs = dict[Path, Annotation](), dict[str, Split](), _label_files(directory)
    for path in csvs:
        for row in label_rows(path):
            split = row.columns.get("split") or ""
            if isinstance(row.annotation, QueryError):
                yield Fault(row.where, "bad_row", str(row.annotation))
            elif split not in ("", *SPLITS):
                yield bad_row(row.where, f"the split {split!r} given, {', '.join(SPLITS)} or none expected")
            else:
                given[row.path] = row.annotation
                splits[row.annotation.video_id] = split  # type: ignore[assignment]
    listing = list_files([directory])
    annotations, unused = of_files(given, listing.files)
    for folder, reason in listing.unreadable:
        yield Fault(str(folder), "not_readable", refusal(str(folder), reason))
    for path in unused:
        name = given[path].video_id
        yield Fault(name, "missing_file", f"{name} is not there", splits[name])
    if line := str(listing.passed):
        yield Remark(line)
    for file in listing.files:
        if file.path in csvs:
            continue
        item = Item(file.path, str(file.path.relative_to(directory)), listed=True)
        if (a := annotations.get(file.path)) is not None:
            labels = () if a.label is None else (a.label,)
            item = replace(item, labels=labels, start_s=a.event_start_s, end_s=a.event_end_s)
            item = replace(item, split=splits[a.video_id])
        yield item


def _label_files(directory: Path) -> list[Path]:
    """Return the CSV files of the folder that have the columns of labels."""
    heads = ((path, next(lines_of(path), None)) for path in same_named(directory, "*.csv"))
    return [path for path, head in heads if head and set(COLUMNS) <= set(head.columns())]
