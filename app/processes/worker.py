"""What a worker process does: make the calls that come through its pipe, within its memory, until that closes."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from pickle import PicklingError
from typing import Any

from model.errors import WorkerFailure

PARENT_CHECK_S = 1.0
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
MOST_HELD_BYTES, MOST_ON_HEAP_BYTES = 64 * 1024**2, 32 * 1024**2  # the latter is the most that glibc takes
GONE = (EOFError, OSError)  # raised by the pipe to a process that has ended


def work(connection: Connection, name: str, memory_bytes: int | None, niceness: int) -> None:
    """Run the calls that come through a pipe until it closes; `memory_bytes`: how much may be allocated for them."""
    _write_of_this("comm", name)  # so that `top` tells what it is
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C goes to all of a terminal; the service ends its workers
        signal.signal(number, signal.SIG_IGN)
    os.nice(niceness)
    gc.freeze()  # what was imported before the fork is never garbage
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if memory_bytes is not None:
        _limit_memory(memory_bytes)
        _hold_freed_memory()
        _offer_to_the_kernel()
    while True:
        try:
            function, args = connection.recv()
            _send(connection, _outcome(function, args))
        except GONE:
            return


def _send(connection: Connection, outcome: tuple[bool, Any]) -> None:
    """Send what a call came to; in place of what does not pickle, an error that tells its text."""
    try:
        connection.send(outcome)
    except (TypeError, AttributeError, PicklingError) as error:  # nothing was written yet
        done, what = outcome
        failure = WorkerFailure(
            f"the result of a call cannot be sent ({error})"
            if done
            else f"a call failed with {type(what).__name__}, which cannot be sent as it is: {what}"
        )
        for note in getattr(what, "__notes__", ()):
            failure.add_note(note)
        connection.send((False, failure))


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*args)
    except Exception as error:
        error.add_note(traceback.format_exc())  # a pickled error has no traceback
        return False, error


def _end_with(parent: int) -> None:
    """End when the parent has ended; a worker that hangs in a decoder would not notice."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


def _hold_freed_memory() -> None:
    """Keep some of the memory that is freed for the next call: to fetch it from the kernel again takes longer.

    A picture of a megapixel costs 3,400 page faults, 6 ms, where glibc gives it back each time.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:  # other C libraries have none
        mallopt(M_MMAP_THRESHOLD, MOST_ON_HEAP_BYTES)
        mallopt(M_TRIM_THRESHOLD, MOST_HELD_BYTES)


def _offer_to_the_kernel() -> None:
    """Let the kernel kill this process first when the machine runs out of memory: it is replaced."""
    _write_of_this("oom_score_adj", "1000")


def _write_of_this(name: str, text: str) -> None:
    """Set something of this process where the system lets it be set."""
    with suppress(OSError):
        Path("/proc/self", name).write_text(text)


def _limit_memory(more_bytes: int) -> None:
    """Limit how much this process's data may grow; no limit if the system does not tell its size."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return
    held_bytes = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)
    if held_bytes is None:
        return
    most = held_bytes + more_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
