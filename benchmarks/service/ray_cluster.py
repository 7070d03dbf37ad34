"""A Ray cluster of several nodes on this machine, of which one can be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

# Ray reads these as it is imported. Nobody else works on this cluster, it reports nothing about its use, and its
# workers are as urgent as the process that waits for them.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
READS, TRAINS = b"ray::FlatMap", b"ray::RayTrainWorker"  # what processes that work are called
STORE_BYTES = 100 * 1024**2
# A node that is dead is noticed within some seconds; one that is only slow is not taken for dead.
HEALTH = {"health_check_initial_delay_ms": 2000, "health_check_period_ms": 1000, "health_check_timeout_ms": 20_000}


class Nodes:
    """Hold a head, which does no work, and nodes that work."""

    def __init__(self) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("RAY_AUTH_TOKEN", uuid4().hex)
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": HEALTH}
        self._cluster = Cluster(initialize_head=True, head_node_args=head | {"object_store_memory": STORE_BYTES})
        self._nodes: list[Any] = []

    @property
    def address(self) -> str:
        """Return where the head listens."""
        return str(self._cluster.address)

    def add(self, cores: int = 1) -> None:
        """Start one more node, which runs so many tasks at a time."""
        self._nodes.append(self._cluster.add_node(num_cpus=cores, object_store_memory=STORE_BYTES))

    def kill(self) -> None:
        """Kill the oldest node and all its processes."""
        self._cluster.remove_node(self._nodes.pop(0), allow_graceful=False)

    def kill_worker(self, what: bytes) -> bool:
        """Kill a process that reads or trains, on the oldest node that has one, and what it began; False: none does."""
        for node in self._nodes:
            (raylet,) = node.all_processes["raylet"]
            for pid in _children(raylet.process.pid):
                if _read(f"/proc/{pid}/cmdline").startswith(what):
                    for each in (*_children(pid), pid):
                        with suppress(ProcessLookupError):
                            os.kill(each, signal.SIGKILL)
                    return True
        return False

    def close(self) -> None:
        """End them all."""
        self._cluster.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def working(*cores: int) -> Iterator[Nodes]:
    """Start a cluster of nodes with so many cores."""
    nodes = Nodes()
    try:
        for count in cores:
            nodes.add(count)
        yield nodes
    finally:
        nodes.close()


def _children(parent: int) -> list[int]:
    """Return the processes that a process has begun."""
    fields = {entry.name: _read(f"{entry}/stat").rpartition(b")")[2].split() for entry in Path("/proc").glob("[0-9]*")}
    return [int(pid) for pid, found in fields.items() if len(found) > 1 and int(found[1]) == parent]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it has ended
        return b""
