"""The process of a training job: train, judge, swap the model in. It may be killed at any time and started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from app.library.adoption import Adoption, adopt, report_of
from app.library.features import corpus_of, footage_front_end
from app.library.session import Session
from app.processes.cores import use_threads
from index.disk import flush, refused, writing
from model.data.corpus import Corpus
from model.errors import DeviceError, EcholensError, LibraryBusy, LibraryError, TrainingError
from model.frontends.frontend import FrontEnd
from model.network.device import DeviceName, choose_device, device_failure
from model.training.plan import Trained, train
from model.training.recipe import Recipe, recipe_named
from model.training.run import Epoch

NICENESS = 10
OOM_SCORE = 500  # of 1000: out of memory, the kernel kills this process rather than the service
BUSY_RETRY_S = 0.5
REPORT_S = 0.2
# The part of the progress 0..1 that is training: before it features are read, after it latents are written.
LEARNING = (0.05, 0.9)


@dataclass(frozen=True)
class Order:
    """Say what to train; `directory` keeps the job's state, `epochs` replaces the recipe's number.

    `device` is a name: only the process that trains touches a GPU.
    """

    library: Path
    device: DeviceName
    directory: Path
    seed: int
    recipe: str
    epochs: int | None
    threads: int


@dataclass(frozen=True)
class Progress:
    """Say how far the job is, 0..1, and after an epoch how good the model then was on held-out videos."""

    share: float
    point: dict[str, Any] | None = None


@dataclass(frozen=True)
class Warned:
    """Say what to expect of the training, before it begins."""

    of_what: str


@dataclass(frozen=True)
class Retried:
    """Say why training began anew within the process: the curve so far is of another model."""

    why: str


@dataclass(frozen=True)
class Waiting:
    """Say whether the process waits for the library's writer lock."""

    waits: bool


@dataclass(frozen=True)
class Finished:
    """Hold the job's result, and what to note."""

    result: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """Say why the job failed; `unforeseen` is a traceback for the log."""

    code: str
    detail: str
    unforeseen: str | None = None


@dataclass(frozen=True)
class Lost:
    """Say how the device failed: this process can do nothing more with it, another one can."""

    error: DeviceError


Message = Progress | Warned | Retried | Waiting | Finished | Failed | Lost


def work(connection: Connection, order: Order) -> None:
    """Train as ordered, report to the service over the connection, and end when it is closed."""
    _be_modest(order.threads)
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    try:
        device = choose_device(order.device)
    except DeviceError as error:  # `cuda` was given, and another process would not find it either
        connection.send(Failed(error.code, str(error)))
        return
    try:
        connection.send(_train(order, device, connection.send))
    except Exception as error:
        connection.send(_ending(error, order.directory))


def _ending(error: Exception, directory: Path) -> Failed | Lost:
    """Return what an error that ends the process is to the service."""
    failure = device_failure(error)
    if failure is not None:
        return Lost(failure)
    if not isinstance(error, EcholensError):
        return Failed("internal", "not foreseen; the log has it", traceback.format_exc())
    if not isinstance(error, LibraryError):
        shutil.rmtree(directory, ignore_errors=True)  # it would fail again: not even the choice of videos is kept
    return Failed(error.code, str(error))


def _be_modest(threads: int) -> None:
    """Give the service priority for processor and memory; the service alone handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    with suppress(OSError):  # not on every system
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    use_threads(threads)


def _end_with(connection: Connection) -> None:
    """End this process as soon as the service's end of the connection is closed."""
    with suppress(EOFError, OSError):
        connection.recv()
    os._exit(1)


def _train(order: Order, device: torch.device, send: Callable[[Message], None]) -> Finished:
    with Session.open(order.library, device, create=False) as session:
        steps = _Steps(send)
        videos = max(1, session.library.catalogue.stats().videos)
        begin, end = LEARNING
        front_end = footage_front_end(session)
        corpus = _corpus(session, front_end, order.directory, lambda read: steps.tell(begin * min(1.0, read / videos)))
        trained = _learn(
            session,
            front_end,
            corpus,
            order,
            lambda epoch: steps.epoch(begin + (end - begin) * epoch.done, epoch),
            lambda of_what: send(Warned(of_what)),
            lambda why: send(Retried(why)),
        )
        written = 0

        def step() -> None:
            nonlocal written
            written += 1
            steps.tell(end + (1 - end) * min(1.0, written / videos))

        adoption = _adopt(session, trained, order.directory, step, send)
    report = report_of(trained)
    told = {name: report[name] for name in ("fingerprint", "videos", "pairs", "epochs")}
    told["device"] = trained.checkpoint.training.get("device", "cpu")
    return Finished(asdict(adoption) | told, trained.warnings)


def _corpus(session: Session, front_end: FrontEnd, directory: Path, read: Callable[[int], None]) -> Corpus:
    """Return the features of the videos that the job began with, without those that were added later.

    If one of its videos was deleted, the job begins afresh with all videos that there are.
    """
    chosen_path = directory / "videos.json"
    try:
        chosen = json.loads(chosen_path.read_text())
        corpus = corpus_of(session, read, frozenset(chosen), front_end)
        if list(corpus.video_ids) == chosen:
            return corpus
    except (OSError, ValueError, LibraryError):  # not begun yet, truncated by a power failure, or no video is left
        pass
    shutil.rmtree(directory, ignore_errors=True)
    corpus = corpus_of(session, read, front_end=front_end)
    partial = chosen_path.with_suffix(".partial")
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(corpus.video_ids))
        flush(partial)
        os.replace(partial, chosen_path)
    return corpus


def _learn(
    session: Session,
    front_end: FrontEnd,
    corpus: Corpus,
    order: Order,
    each_epoch: Callable[[Epoch], None],
    warned: Callable[[str], None] = lambda _: None,
    retried: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train, and continue where the job was interrupted; a saved state that cannot be resumed is deleted."""

    def learn() -> Trained:
        return train(
            corpus,
            _recipe(order),
            (front_end.name, front_end.identity),
            order.seed,
            session.device,
            state_path=order.directory / "state",
            progress=each_epoch,
            prior=front_end.prior,
            warned=warned,
            retried=retried,
        )

    try:
        with writing(order.directory):
            try:
                return learn()
            except TrainingError:
                states = list(order.directory.glob("state*.[0-9]*"))
                if not states:
                    raise
                for path in states:
                    path.unlink()
                return learn()
    except SafetensorError as error:  # a state that cannot be written; one that cannot be read is a TrainingError
        raise refused(order.directory, error) from error


def _recipe(order: Order) -> Recipe:
    recipe = recipe_named(order.recipe)
    return recipe if order.epochs is None else replace(recipe, epochs=order.epochs, taught_epochs=order.epochs)


def _adopt(
    session: Session, trained: Trained, directory: Path, step: Callable[[], None], send: Callable[[Message], None]
) -> Adoption:
    """Swap the model in if it is better, as soon as no other process writes to the library."""
    while True:
        try:
            adoption = adopt(session, trained, step, directory / "verdict.json")
            send(Waiting(False))
            return adoption
        except LibraryBusy:
            send(Waiting(True))
            time.sleep(BUSY_RETRY_S)


class _Steps:
    """Report progress to the service, at most once in REPORT_S, and each epoch."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send, self._told_s = send, 0.0

    def tell(self, share: float) -> None:
        if time.monotonic() - self._told_s >= REPORT_S:
            self._send(Progress(share))
            self._told_s = time.monotonic()

    def epoch(self, share: float, epoch: Epoch) -> None:
        """Tell how good the model is after an epoch; without held-out videos how far the job is alone."""
        if not epoch.mrr:
            self.tell(share)
            return
        point = {"run": epoch.run, "runs": epoch.runs, "epoch": epoch.number, "held_out_mrr": epoch.best_mrr}
        self._send(Progress(share, point))
