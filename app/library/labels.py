"""Labels from a CSV: file,label[,event_start_s,event_end_s], paths relative to the CSV."""

from __future__ import annotations

import csv
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.library.listing import Listed
from model.data.corpus import Annotation
from model.errors import QueryError

COLUMNS = ("file", "label")
LONGEST_LABEL = 200


@dataclass(frozen=True)
class LabelRow:
    """Hold a row of a CSV of labels: `where` it stands, its columns, and its annotation or what is wrong with it."""

    where: str
    columns: dict[str, str]
    path: Path
    annotation: Annotation | QueryError


def read_labels(path: Path) -> dict[Path, Annotation]:
    """Return annotations by absolute path; further columns are passed over, an empty label is none.

    Raises:
        QueryError: no such file, a column missing, or times that make no interval.
    """
    found: dict[Path, Annotation] = {}
    for row in label_rows(path):
        if isinstance(row.annotation, QueryError):
            raise row.annotation
        found[row.path] = row.annotation
    return found


def label_rows(path: Path) -> Iterator[LabelRow]:
    """Yield the rows of a CSV of labels; one that says otherwise than an earlier one of its file is wrong.

    Raises:
        QueryError: no such file, or a column missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
            if missing:
                raise QueryError(f"{path} has no column {missing[0]}; {', '.join(COLUMNS)} are expected")
            found: dict[Path, Annotation] = {}
            for columns in reader:
                where = f"{path.name}, line {reader.line_num}"
                labelled = Path(os.path.abspath(path.parent / (columns["file"] or "")))
                yield LabelRow(where, columns, labelled, _checked(where, columns, labelled, found))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise QueryError(f"the labels {path} cannot be read ({error}); a CSV in UTF-8 is expected") from error


def _checked(where: str, columns: dict[str, str], path: Path, found: dict[Path, Annotation]) -> Annotation | QueryError:
    try:
        annotation = _annotation(where, columns)
    except QueryError as error:
        return error
    if found.setdefault(path, annotation) != annotation:
        return QueryError(f"{where}: {annotation.video_id} was labelled otherwise above; one line a file is expected")
    return annotation


def of_files(labels: dict[Path, Annotation], files: Iterable[Listed]) -> tuple[dict[Path, Annotation], list[Path]]:
    """Return the labels of files by their listed paths, and the paths that no file has.

    A letter with an accent may be one sign (NFC) or two (NFD) on either side; a link may stand for its file.
    """
    listed, left = list(files), dict(labels)
    found = {file.path: left.pop(file.path) for file in listed if file.path in left}
    if left:
        named = {_composed(path): path for path in left}
        behind = {Path(os.path.realpath(path)): path for path in left}
        for file in listed:
            path = named.get(_composed(file.path)) or behind.get(file.real)
            if path in left and file.path not in found:
                found[file.path] = left.pop(path)
    return found, sorted(left)


def _composed(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path))


def checked_annotation(
    video_id: str, label: str | None, start_s: float | None, end_s: float | None, where: str
) -> Annotation:
    """Return an annotation. Raises QueryError if an event has no label, no length, or one end only."""
    if any("\ud800" <= character <= "\udfff" for character in label or ""):
        raise QueryError(f"{where}: the label holds half a character (a lone surrogate), whole ones are expected")
    if label is not None and len(label) > LONGEST_LABEL:
        raise QueryError(f"{where}: a label of {len(label)} characters given, at most {LONGEST_LABEL} expected")
    if (start_s is None) != (end_s is None):
        raise QueryError(f"{where}: an event needs both event_start_s and event_end_s, or neither")
    if start_s is not None and end_s is not None:
        check_interval(where, start_s, end_s)
        if not label:
            raise QueryError(f"{where}: an event was given without a label")
    return Annotation(video_id, label or None, start_s, end_s)


def check_interval(where: str, start_s: float, end_s: float) -> None:
    """Raise QueryError where two times make no interval."""
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
        raise QueryError(f"{where}: the event [{start_s}, {end_s}) s given, 0 <= start < end expected")


def _annotation(where: str, row: dict[str, str]) -> Annotation:
    if not row["file"]:
        raise QueryError(f"{where}: no file given; its path relative to the CSV is expected")
    try:
        start_s, end_s = (float(text) if (text := row.get(c)) else None for c in ("event_start_s", "event_end_s"))
    except ValueError as error:
        raise QueryError(f"{where}: {error}; times in seconds are expected") from error
    return checked_annotation(row["file"], row["label"], start_s, end_s, where)
