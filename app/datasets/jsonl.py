"""JSONL: an object a line with `path` and perhaps `label` (a text, or a list of them), `start_s`, `end_s`, `split`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.datasets.item import Entry, bad_row, listed_item
from app.datasets.lists import Line, lines_of, same_named
from model.data.archive import SPLITS
from model.errors import DatasetError

FIELDS = ("path", "label", "start_s", "end_s", "split")


def read(source: Path) -> Iterator[Entry]:
    """Yield the lines of a .jsonl, or of all of a directory; paths are relative to it, further fields passed over."""
    files = [source] if source.is_file() else same_named(source, "*.jsonl")
    if not files:
        raise DatasetError(f"{source} holds no *.jsonl")
    for path in files:
        for line in lines_of(path):
            yield _entry(line, path.parent)


def _entry(line: Line, directory: Path) -> Entry:
    try:
        row = json.loads(line.text)
        name, label, start_s, end_s, split = (row.get(field) for field in FIELDS)
    except (ValueError, AttributeError, RecursionError) as error:
        return bad_row(line.where, f"an object with {', '.join(FIELDS)} expected ({error})")
    labels = label if isinstance(label, list) else [label] if label else []
    if not (isinstance(name, str) and name):
        return bad_row(line.where, f"the path {name!r} given, that of a medium expected")
    if not all(isinstance(text, str) for text in labels):
        return bad_row(line.where, f"the label {label!r} given, a text or a list of texts expected")
    if not (_is_time(start_s) and _is_time(end_s)):
        return bad_row(line.where, f"the times {start_s!r} and {end_s!r} given, seconds expected")
    if split not in (None, "", *SPLITS):
        return bad_row(line.where, f"the split {split!r} given, {', '.join(SPLITS)} or none expected")
    path = directory / name
    found = path if os.path.isfile(path) else None  # None, too, for an impossible name
    return listed_item(line.where, found, name, labels, start_s, end_s, split or "")


def _is_time(value: Any) -> bool:
    try:
        return value is None or (not isinstance(value, bool) and math.isfinite(value))
    except (TypeError, OverflowError):
        return False
