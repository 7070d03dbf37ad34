"""Small corpora whose sound and picture of a second share a hidden cause."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from model.data.corpus import Corpus

CAUSES = 4


def planted_corpus(
    videos: int = 20,
    seconds: int = 6,
    audio_shape: tuple[int, ...] = (12,),
    visual_shape: tuple[int, ...] = (16,),
    noise: float = 0.3,
    seed: int = 0,
) -> Corpus:
    """Return videos with a hidden cause each; both modalities are linear maps of it, plus noise.

    The maps are the same for every seed, so that what one corpus teaches holds in another.
    """
    maps, random = np.random.default_rng(99), np.random.default_rng(seed)
    count = videos * seconds
    cause = np.repeat(random.standard_normal((videos, CAUSES)), seconds, axis=0)
    cause += 0.2 * random.standard_normal(cause.shape)
    features = {}
    for modality, shape in (("audio", audio_shape), ("visual", visual_shape)):
        width = int(np.prod(shape))
        clean = cause @ maps.standard_normal((CAUSES, width))
        noisy = clean + noise * random.standard_normal((count, width))
        features[modality] = noisy.reshape(count, *shape).astype(np.float32)
    return Corpus(
        **features,
        heard=np.ones(count, bool),
        seen=np.ones(count, bool),
        event=np.zeros(count, bool),
        video=np.repeat(np.arange(videos), seconds),
        start_s=np.tile(np.arange(seconds), videos),
        video_ids=tuple(f"video-{seed}-{v}" for v in range(videos)),
        label=np.full(videos, -1),
        classes=(),
    )


def write_planted_archive(path: Path, splits: Mapping[str, int], seconds: int = 6, **replaced: np.ndarray) -> Path:
    """Write an npz of so many planted videos for each split, of three classes in turn, with events of 2 or 3 seconds.

    `replaced`: arrays in place of its own.
    """
    videos = sum(splits.values())
    corpus = planted_corpus(videos, seconds)
    event = np.zeros((videos, seconds), bool)
    for video in range(videos):
        event[video, video % 3 : video % 3 + 2 + video % 2] = True
    arrays = {
        "audio": corpus.audio.reshape(videos, seconds, -1),
        "visual": corpus.visual.reshape(videos, seconds, -1),
        "label": np.arange(videos) % 3,
        "event": event,
        "split": np.repeat(list(splits), list(splits.values())),
        "video_id": np.array(corpus.video_ids),
        "classes": np.array(["a", "b", "c"]),
    }
    np.savez(path, **(arrays | replaced))
    return path


def write_ave(directory: Path, visual: np.ndarray | None = None, annotations: str | None = None) -> Path:
    """Write AVE's files for three videos of ten seconds."""
    directory.mkdir(exist_ok=True)
    audio = np.arange(3 * 10 * 4, dtype=np.float64).reshape(3, 10, 4)
    visual = np.ones((3, 10, 5)) if visual is None else visual
    lines = annotations or "Category&VideoID&Quality&StartTime&EndTime\n" + "".join(
        f"{c}&{v}&good&{s}&{e}\n" for c, v, s, e in (("B", "-x", 0, 10), ("A", "y", 3, 5), ("B", "-x", 8, 10))
    )
    (directory / "Annotations.txt").write_text(lines, newline="")
    for name, key, values in (
        ("audio_feature", "avadataset", audio),
        ("visual_feature", "avadataset", visual),
        ("train_order", "order", [2]),
        ("val_order", "order", [0]),
        ("test_order", "order", [1]),
    ):
        with h5py.File(directory / f"{name}.h5", "w") as file:
            file[key] = values
    return directory
