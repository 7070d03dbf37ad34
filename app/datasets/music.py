"""MUSIC: YouTube videos of people who play an instrument, or two.

Zhao et al., "The Sound of Pixels", ECCV 2018; https://github.com/roudimit/MUSIC_dataset has MUSIC_solo_videos.json,
MUSIC_duet_videos.json and MUSIC21_solo_videos.json: {"videos": {instrument: [YouTube ids]}}. They have no split.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from app.datasets.item import Entry, Fault, bad_row, listed_item
from app.datasets.lists import MediaFolders, same_named
from model.errors import DatasetError

LISTS = "MUSIC*_videos.json"
PLACES = ("", "videos", "solo", "duet")


def read(directory: Path) -> Iterator[Entry]:
    """Yield the videos of all lists; one may lie in a folder of its instrument."""
    lists = same_named(directory, LISTS)
    if not lists:
        raise DatasetError(f"{directory} holds no {LISTS}")
    for path in lists:
        try:
            videos = json.loads(path.read_bytes())["videos"].items()
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            yield Fault(path.name, "bad_list", f"{path.name} is no list ({error!r}); videos by instrument expected")
            continue
        for label, ids in videos:
            yield from _of_class(directory, f"{path.name}, {label}", label, ids)


def _of_class(directory: Path, where: str, label: str, ids: object) -> Iterator[Entry]:
    if not isinstance(ids, list):
        yield bad_row(where, f"{ids!r} given, a list of YouTube ids expected")
        return
    folders = MediaFolders(directory, (f"{place}/{inner}" for place in PLACES for inner in ("", label)))
    for video_id in ids:
        if isinstance(video_id, str):
            yield listed_item(where, folders.find(video_id), video_id, (label,))
        else:
            yield bad_row(where, f"{video_id!r} given, a YouTube id expected")
