"""Does the line work, right now? A second of sound goes through front-end, model and index."""

from __future__ import annotations

import time

import numpy as np

from app.session import Session
from model.errors import EmptyLibrary
from model.segments import SAMPLE_RATE_HZ


def canary(session: Session) -> float:
    """Encode a tone and a picture and search with them; return the milliseconds that it took.

    An empty library is ready: it waits for footage. Raises EcholensError where the line is broken.
    """
    started = time.perf_counter()
    tone = np.sin(np.arange(SAMPLE_RATE_HZ, dtype=np.float32) * 0.2)
    picture = np.full((32, 32, 3), 128, np.uint8)
    encoder = session.encoder
    queries = (
        encoder.latents("audio", session.front_end.audio(tone)[None]),
        encoder.latents("visual", session.front_end.visual(picture)[None]),
    )
    for query, target in zip(queries, ("visual", "audio"), strict=True):
        try:
            session.shelf(target).gallery.search(query, 1)  # type: ignore[arg-type]
        except EmptyLibrary:
            continue
    return 1000 * (time.perf_counter() - started)
