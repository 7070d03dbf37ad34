"""What does a page of 100 videos cost as the library grows? Read from catalogues of drawn videos, without footage.

    python -m benchmarks.service.video_pages [--videos 100 100000 1000000] [--json OUT]

Medians of five, in ms: the first page, one in the middle of a library at rest, the same page after a change (its cursor
is of an older version), and a first page by a label, a name or a folder. A seventh of the videos has the label.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import json_parser, tell
from index.catalogue import Catalogue
from index.paging import ANY, BEGINNING, Choice, Trail

PAGE, FOLDER, REPEATS = 100, 1000, 5
COLUMNS = "video_id, sha256, path, file_name, media_type, duration_s, uploaded, label, added_at, size_bytes"


def main() -> None:
    """Measure each size."""
    parser = json_parser(__doc__)
    parser.add_argument("--videos", type=int, nargs="+", default=[100, 100_000, 1_000_000])
    arguments = parser.parse_args()
    tell([measured(videos) for videos in arguments.videos], arguments.json)


def measured(videos: int) -> dict[str, float]:
    """Return what pages of a library of so many videos cost."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "catalogue.sqlite"
        catalogue = Catalogue(path)
        _fill(path, videos)
        middle = Trail(catalogue.catalogue_version, videos // 2, videos // 2, 0, videos)
        older = Trail(middle.version - 1, *(middle.position, middle.count, middle.total, middle.chosen))
        asked = {
            "first": (BEGINNING, ANY),
            "middle": (middle, ANY),
            "middle_after_a_change": (older, ANY),
            "first_by_label": (BEGINNING, Choice(label="dog")),
            "first_by_name": (BEGINNING, Choice(name="0000")),
            "first_by_folder": (BEGINNING, Choice(folder="/footage/0000")),
        }
        return {"videos": videos} | {f"{name}_ms": _median_ms(catalogue, *page) for name, page in asked.items()}


def _fill(path: Path, videos: int) -> None:
    def rows() -> Iterator[tuple[object, ...]]:
        for n in range(videos):
            name, label = f"clip-{n:07d}.mp4", "dog" if n % 7 == 0 else None
            place = f"/footage/{n // FOLDER:04d}/{name}"
            yield f"{n:016x}", f"{n:064x}", place, name, "video/mp4", 10.0, 0, label, "2026-01-01T00:00:00", 1_000_000

    with sqlite3.connect(path) as connection:
        connection.executemany(f"INSERT INTO videos ({COLUMNS}) VALUES ({', '.join('?' * 10)})", rows())
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'catalogue_version'")
    connection.close()


def _median_ms(catalogue: Catalogue, read: Trail, choice: Choice) -> float:
    catalogue.page(PAGE, read, choice)
    took_ms = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        catalogue.page(PAGE, read, choice)
        took_ms.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(took_ms), 2)


if __name__ == "__main__":
    main()
