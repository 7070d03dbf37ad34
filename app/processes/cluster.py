"""A Ray cluster: many machines that work for this process, which alone writes."""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from model.errors import WorkerFailure

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported: it reports nothing about its use

try:
    import ray
    import ray.data
except ImportError as error:
    raise WorkerFailure(
        f"--ray given, but Ray is not installed here ({error}): install echolens with its extra ray, such as "
        "pip install 'echolens[cpu,ray]', on this machine and on those of the cluster"
    ) from error

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_TASKS = 10_000  # of one stream: Ray keeps a record of each; with more items than that a task has several
LOCAL = "local"
MOST_CONNECT_S = 10.0


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Join the cluster at HOST:PORT, or the one of this machine (`auto`), or begin one for this process (`local`).

    Raises WorkerFailure where there is none.
    """
    own: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        if ":" in address and "://" not in address:
            _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError) as error:
        raise WorkerFailure(
            f"--ray {address} given, the HOST:PORT of a Ray cluster expected ({error}): begin one with ray start "
            "--head --port 6379, or use --ray local, which begins one on this machine"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Connect once: where nothing listens Ray would try for many minutes. Raises OSError, ValueError."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), MOST_CONNECT_S).close()


def stream(
    items: Sequence[Item], work: Callable[..., Iterator[Result]], *shared: Any, cores: int = 1
) -> Generator[tuple[int, Result], None, None]:
    """Call `work(item, *shared)` of a module for each item on the cluster; yield (number of item, result) in order.

    Each core of the cluster works on one item, with results at hand up to a share of Ray's object store. What a dead
    machine or process had at work is done again elsewhere, so `work` must give the same results each time. `shared` is
    sent to each machine once; its arrays are read only. What `work` raises ends the stream.
    `cores`: that an item takes; 0 within another stream, whose items may hold all cores while they wait to be asked.
    """
    if not items:
        return
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # a result is sent as soon as it is there, however small
    context.enable_progress_bars = False
    rows = [{"number": number, "item": pickle.dumps(item)} for number, item in enumerate(items)]
    blocks = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_TASKS))
    results = blocks.flat_map(partial(_do, work=work, shared=ray.put(shared)), num_cpus=cores)
    for row in results.iter_rows():
        yield row["number"], pickle.loads(row["result"])


def _do(row: dict[str, Any], work: Callable[..., Iterator[Any]], shared: Any) -> Iterator[dict[str, Any]]:
    for result in work(pickle.loads(row["item"]), *ray.get(shared)):
        yield {"number": row["number"], "result": pickle.dumps(result)}
