"""Random features of the size of AVE's, for benchmarks that time and measure nothing else."""

from __future__ import annotations

import numpy as np

from model.data.corpus import Corpus

SECONDS, CLASSES = 10, 28
AUDIO, VISUAL = 128, 512


def random_corpus(videos: int) -> Corpus:
    """Return random features of so many videos; an event lasts from a random second to the end."""
    random = np.random.default_rng(0)
    count = videos * SECONDS
    second = np.tile(np.arange(SECONDS), videos)
    return Corpus(
        audio=random.standard_normal((count, AUDIO)).astype(np.float32),
        visual=random.standard_normal((count, VISUAL)).astype(np.float32),
        heard=np.ones(count, bool),
        seen=np.ones(count, bool),
        event=second >= np.repeat(random.integers(0, SECONDS - 1, videos), SECONDS),
        video=np.repeat(np.arange(videos), SECONDS),
        start_s=second,
        video_ids=tuple(str(v) for v in range(videos)),
        label=random.integers(0, CLASSES, videos),
        classes=tuple(str(c) for c in range(CLASSES)),
    )
