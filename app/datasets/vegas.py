"""VEGAS: videos of ten classes, a folder each.

Zhou et al., "Visual to Sound: Generating Natural Sound for Videos in the Wild", CVPR 2018 (arXiv 1712.01393). As it
is distributed, each class has videos/video_00001.mp4 and so on, perhaps below data/; it has no list and no split.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.datasets.item import Entry, listed_item
from app.datasets.lists import same_named


def read(directory: Path) -> Iterator[Entry]:
    """Yield the videos, class by class and in the order of their names."""
    for videos in sorted((*directory.glob("*/videos"), *directory.glob("data/*/videos"))):
        label = videos.parent.name
        for path in same_named(videos, "*.mp4"):
            yield listed_item(str(path), path, f"{label}/{path.stem}", (label,))
