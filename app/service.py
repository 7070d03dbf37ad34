"""What lives as long as the service: the session, the jobs, the measurement; and how routes reach them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
from fastapi import Depends, Request

from app.http.cancellation import cancel_on_disconnect
from app.http.keys import Key, KeyScope
from app.jobs.alerting import Alerting
from app.jobs.jobs import Jobs
from app.jobs.webhooks import Webhooks
from app.library.latent_map import LatentMaps
from app.library.map_process import InMapProcess, map_process
from app.library.measurement import Measure
from app.library.overview import Overviews
from app.library.session import Session
from app.media.excerpts import Excerpts
from app.processes.cores import use_threads
from app.processes.decoder import FAILURE_ERRORS, InWorkers
from app.processes.scratch import scratch
from app.processes.workers import Workers
from app.queries.canary import Canary
from app.queries.engine import FAILURE_ERRORS as ENGINE_FAILURE_ERRORS
from app.queries.engine import EngineSettings, name_device, run
from app.queries.engine_encoder import EngineEncoder
from app.queries.engine_process import EngineProcess
from app.queries.forked import FORKED
from app.queries.pipeline import Pipeline
from app.schemas.search import Locate
from app.settings import Settings
from app.telemetry.gpu import watch_gpus
from app.telemetry.metrics import Metrics
from index.library import Library
from model.errors import DeviceError, EcholensError, FrontEndError, Mismatch, PathsHidden, QueryError
from model.frontends.registry import has_weights, pull_absent_weights

log = logging.getLogger("echolens")
T = TypeVar("T")
CPU = torch.device("cpu")
MOST_WARMING_S = 30.0
INGEST_NICENESS = 10  # questions go first
GRACE_S = 5.0  # after its own time limit, for a decoder that does not come back to be asked


@dataclass(frozen=True, eq=False)
class Service:
    """Bundle what routes share."""

    settings: Settings
    session: Session
    jobs: Jobs
    measure: Measure
    maps: LatentMaps
    overviews: Overviews
    metrics: Metrics
    engine: EngineProcess
    pipeline: Pipeline
    canary: Canary
    scratch: Path
    excerpts: Excerpts
    alerting: Alerting

    async def answer(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns, while its client waits and its time lasts. Raises ClientGone, PastDeadline."""
        return await cancel_on_disconnect(request, work, self.settings.most_request_s)

    def scope_of(self, request: Request) -> KeyScope:
        """Return what a request may do: what its key allows, and without keys, on loopback, all."""
        key: Key | None = getattr(request.state, "key", None)
        if key is None:
            return "admin" if self.settings.is_loopback else "read"
        return key.scope

    def shown_paths(self, request: Request) -> Locate | None:
        """Return what tells a hit's path: to those who may do all; else None."""
        return self.session.library.path_text if self.scope_of(request) == "admin" else None

    def check_folder(self, request: Request, folder: str | None) -> None:
        """Refuse a question for a folder that is none, or comes from one who is told no paths and could guess them.

        Raises PathsHidden, QueryError.
        """
        if folder is None:
            return
        if self.shown_paths(request) is None:
            raise PathsHidden(f"folder={folder} given, but you are not told where files lie: leave it out")
        if not os.path.isabs(folder):
            raise QueryError(f"folder={folder} given, the whole path of a directory of the server expected")


@asynccontextmanager
async def running(settings: Settings, metrics: Metrics) -> AsyncIterator[Service]:
    """Open the library, start what answers and what works, warm it all up, and end it in reverse."""
    use_threads(1)
    memory = settings.most_decoder_bytes
    with ExitStack() as opened:
        queries = opened.enter_context(
            closing(Workers(settings.decoders, memory, "decode", FORKED, FAILURE_ERRORS, renewed=True))
        )
        footage = opened.enter_context(
            closing(
                Workers(
                    settings.ingest_decoders,
                    memory,
                    "ingest",
                    FORKED,
                    FAILURE_ERRORS,
                    renewed=True,
                    niceness=INGEST_NICENESS,
                )
            )
        )
        engines = opened.enter_context(
            closing(Workers(1, None, "engine", FORKED, ENGINE_FAILURE_ERRORS, ended_by=(DeviceError,)))
        )
        drawing = opened.enter_context(closing(map_process(FORKED)))

        @cache  # the same again: what one decoder is asked for may go to it together
        def decoders(front_end: str, weights: Path) -> tuple[InWorkers, InWorkers]:
            return (
                InWorkers(queries, front_end, weights, settings.most_decode_s + GRACE_S),
                InWorkers(footage, front_end, weights, settings.most_ingest_s),
            )

        with Library.open(settings.data) as library:  # makes it where there is none
            directory = library.directory
        engine_settings = EngineSettings(directory, settings.device, settings.index_settings)
        engine = EngineProcess(engines, engine_settings)
        session = opened.enter_context(
            Session.open(
                directory,
                CPU,  # no GPU here: only the engine's process has one
                create=False,
                index_settings=settings.index_settings,
                decoders=decoders,
                default=settings.frontend,
                encoders=partial(EngineEncoder, engine=engine),
            )
        )
        _begin(session)
        if settings.device == "cuda":  # a service that is told to use a GPU does not start without one
            await asyncio.wrap_future(engines.submit(run, engine_settings, name_device))
        pipeline = Pipeline(session, engine, settings.query_limits, metrics, settings.decoders)
        canary = Canary(pipeline)
        folder = opened.enter_context(scratch())
        jobs = Jobs(session, settings)
        alerts = session.library.catalogue.alerts
        alerting = Alerting(alerts, pipeline, folder, settings.public_url or settings.path_prefix or "")
        service = Service(
            settings,
            session,
            jobs,
            Measure(session),
            LatentMaps(session, InMapProcess(drawing)),
            Overviews(session),
            metrics,
            engine,
            pipeline,
            canary,
            folder,
            Excerpts(session.library, max(1, settings.decoders // 2)),
            alerting,
        )
        _watch(metrics, pipeline, {"questions": queries, "ingest": footage, "engine": engines, "map": drawing})
        watch_gpus(metrics)
        metrics.watch("echolens_device_failures", "Times that the GPU has failed", lambda: engine.failures)
        jobs.start()
        opened.callback(jobs.stop)
        telling = [asyncio.create_task(alerting.live())]
        telling.append(asyncio.create_task(Webhooks(alerts, settings.webhook_hosts).live()))
        warming = asyncio.create_task(_warm_up(canary, session, settings.fetch_weights))
        try:
            await asyncio.wait((warming,), timeout=MOST_WARMING_S)  # longer for large libraries: alive, not yet ready
            yield service
        finally:
            warming.cancel()
            for task in telling:
                task.cancel()
            await asyncio.wait(telling)


def _begin(session: Session) -> None:
    """Begin a new library; without its front-end's weights the service waits for them, and says so when asked."""
    try:
        session.begin()
    except (FrontEndError, Mismatch) as error:  # or another process has begun it just now
        log.warning("not ready: %s", error)


async def _warm_up(canary: Canary, session: Session, fetch: bool) -> None:
    """Fetch absent weights and pay the cost of first calls now, not in a request. Failures are logged."""
    try:
        if fetch:
            await asyncio.to_thread(_fetch_weights, session)
        await canary.send()
    except EcholensError as error:
        log.warning("not ready: %s", error)


def _fetch_weights(session: Session) -> None:
    """Download the weights that the library's front-end lacks, and begin with it. Raises EcholensError."""
    if not has_weights(session.front_end_name, session.library.frontends):
        pull_absent_weights(session.front_end_name, session.library.frontends, log.info)
        session.begin()


def _watch(metrics: Metrics, pipeline: Pipeline, pools: Mapping[str, Workers]) -> None:
    metrics.watch("echolens_batch_queue", "Encodings and searches that wait for a batch", lambda: pipeline.waiting)
    for name, help, read in (
        ("echolens_workers_busy", "Processes at work", lambda pool: pool.busy),
        ("echolens_workers_replaced", "Processes that ended and were replaced", lambda pool: pool.replaced),
    ):
        metrics.watch_each(name, help, "pool", partial(_of_each, pools, read))

    def waiting() -> dict[str, float]:
        calls = _of_each(pools, lambda pool: pool.waiting)
        return calls | {"questions": calls["questions"] + pipeline.waiting_files}

    metrics.watch_each("echolens_work_queue", "Calls that wait for a process", "pool", waiting)


def _of_each(pools: Mapping[str, Workers], read: Callable[[Workers], int]) -> dict[str, float]:
    return {name: read(pool) for name, pool in pools.items()}


async def current(request: Request) -> Service:
    """Return the service of the running application."""
    service: Service = request.app.state.service
    return service


Current = Annotated[Service, Depends(current)]
