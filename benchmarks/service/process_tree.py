"""The processes of a session and the memory that they hold, read from /proc (Linux)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


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


def _stat(entry: Path) -> list[str]:
    return (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:4]  # the name may hold anything
