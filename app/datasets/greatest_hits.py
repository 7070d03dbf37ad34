"""Greatest Hits: things that are struck or scratched with a drumstick.

Owens et al., "Visually Indicated Sounds", CVPR 2016; https://andrewowens.com/vis. As others describe the files (that
page could not be read when this was written), a recording has ID_denoised.mp4 and ID_mic.mp4, and ID_times.txt with a
line a stroke: seconds, material, action and perhaps the reaction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.datasets.item import Entry, Split, bad_row, listed_item
from app.datasets.lists import MediaFolders, lines_of, same_named

FOLDERS = ("", "vis-data")
TIMES = "_times"
LISTS: tuple[tuple[Split, str], ...] = (("train", "train.txt"), ("test", "test.txt"))
UNKNOWN = "None"


def read(directory: Path) -> Iterator[Entry]:
    """Yield a recording for each list of strokes; its class is the material that is struck most often.

    `labels`: the materials by the number of their strokes; those of no known material do not count. The sound is the
    denoised one where it is there, else the microphone's. train.txt and test.txt, with an id a line, give the split.
    """
    splits = dict[str, Split]()
    for split, name in LISTS:
        if (directory / name).is_file():
            splits |= {line.text.strip(): split for line in lines_of(directory / name)}
    for folder in FOLDERS:
        media = MediaFolders(directory, (folder,))
        for path in same_named(directory / folder, f"*{TIMES}.txt") if (directory / folder).is_dir() else ():
            name, counts = path.stem.removesuffix(TIMES), Counter[str]()
            for line in lines_of(path):
                words = line.text.split()
                if len(words) < 3 or not _is_time(words[0]):
                    yield bad_row(line.where, f"{line.text!r} given, seconds, material and action expected")
                elif words[1] != UNKNOWN:
                    counts[words[1]] += 1
            labels = sorted(counts, key=lambda material: (-counts[material], material))
            found = media.find(f"{name}_denoised", f"{name}_mic")
            yield listed_item(path.name, found, name, labels, split=splits.get(name, ""))


def _is_time(text: str) -> bool:
    try:
        return math.isfinite(time_s := float(text)) and time_s >= 0
    except ValueError:
        return False
