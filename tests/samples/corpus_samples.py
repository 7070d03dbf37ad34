"""Small corpora whose sound and picture of a second share a hidden cause."""

from __future__ import annotations

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
