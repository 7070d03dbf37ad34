"""The processes of a session, the memory that they hold and the time that they compute, read from /proc (Linux)."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """Hold a process that runs, and what it was started as."""

    pid: int
    parent: int
    command: str


def session_of(leader: int) -> list[Process]:
    """Return the running processes of a session, also those whose parent has died; the leader's id is the session's."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # it ended while we looked
                state, parent, _, session = _stat(entry)
                if int(session) == leader and state not in "ZX":
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    found.append(Process(int(entry.name), int(parent), command))
    return sorted(found, key=lambda process: process.pid)


def held_bytes(leader: int) -> int:
    """Return the resident memory of a session's processes; what several share counts once (the sum of their Pss)."""
    total = 0
    for process in session_of(leader):
        with suppress(OSError):
            for line in (PROC / str(process.pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
    return total


@dataclass(frozen=True)
class CpuTime:
    """Hold the milliseconds of a core that a session's processes have computed, by name and id.

    `reaped_ms`: of the processes that have ended and were waited for.
    """

    by_process: dict[tuple[str, int], float] = field(default_factory=dict)
    reaped_ms: float = 0.0

    @staticmethod
    def of(leader: int) -> CpuTime:
        """Read it of the session of a service: `service` is its leader, the others are named by their work."""
        by_process, reaped_ms = {}, 0.0
        for process in session_of(leader):
            with suppress(OSError):
                entry = PROC / str(process.pid)
                name = "service" if process.pid == leader else (entry / "comm").read_text().strip()
                user, system, waited_user, waited_system = map(int, _stat(entry, 15)[11:15])
                by_process[name, process.pid] = TICK_MS * (user + system)
                reaped_ms += TICK_MS * (waited_user + waited_system)
        return CpuTime(by_process, reaped_ms)

    def since(self, before: CpuTime) -> dict[str, float]:
        """Return milliseconds by name since an earlier moment; `ended`: of processes that have ended meanwhile."""
        spent: dict[str, float] = defaultdict(float)
        for (name, pid), total_ms in self.by_process.items():
            spent[name] += total_ms - before.by_process.get((name, pid), 0.0)
        gone_ms = sum(total_ms for process, total_ms in before.by_process.items() if process not in self.by_process)
        spent["ended"] = max(0.0, self.reaped_ms - before.reaped_ms - gone_ms)
        return dict(spent)


def _stat(entry: Path, fields: int = 4) -> list[str]:
    return (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:fields]  # a name may hold anything
