"""The demonstration library: generated clips, filmed, labelled and ingested."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from app.library.drawn_clips import FOLDER
from app.library.ingest import Outcome, Source, ingest
from app.library.session import Session
from app.processes.cores import usable_cores
from model.data.corpus import Annotation
from model.media.medium import FOOTAGE
from model.synthesis.clips import plan_clip
from model.synthesis.film import film_clip


def make_demonstration(
    session: Session, clips: int, first_seed: int, done: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """Film the clips of the seeds [first_seed, first_seed + clips) into the library; those there stay."""
    directory = session.library.media / FOLDER
    directory.mkdir(exist_ok=True)
    # spawn: a forked copy of a process that has threads (torch, FAISS) may hang
    spawn, ignore_interrupts = get_context("spawn"), (signal.SIGINT, signal.SIG_IGN)  # this process stops the workers
    with ProcessPoolExecutor(usable_cores(), spawn, signal.signal, ignore_interrupts) as pool:
        films = pool.map(partial(film_clip, directory=directory), range(first_seed, first_seed + clips))
        return ingest(session, _sources(films, first_seed), FOOTAGE, done)


def _sources(films: Iterator[Path], first_seed: int) -> Iterator[Source]:
    for seed, path in enumerate(films, first_seed):
        plan = plan_clip(seed)
        annotation = Annotation("", plan.kind, float(plan.event_start_s), float(plan.event_end_s))
        yield Source(path, path.name, annotation)
