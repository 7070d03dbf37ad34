"""What the processes of a service have computed between two moments."""

from __future__ import annotations

import os

from benchmarks.service.process_tree import CpuTime


def test_time_is_told_by_name() -> None:
    """Of processes with one name together; of those that were there before, only what came since."""
    before = CpuTime({("service", 1): 100.0, ("decode", 2): 30.0})
    now = CpuTime({("service", 1): 150.0, ("decode", 2): 40.0, ("decode", 3): 5.0})
    assert now.since(before) == {"service": 50.0, "decode": 15.0, "ended": 0.0}


def test_time_of_processes_that_have_ended_counts() -> None:
    """Only what they computed since the earlier moment, whether they were there then or not."""
    before = CpuTime({("service", 1): 100.0, ("decode", 2): 30.0}, reaped_ms=200.0)
    now = CpuTime({("service", 1): 100.0, ("decode", 3): 5.0}, reaped_ms=245.0)
    assert now.since(before) == {"service": 0.0, "decode": 5.0, "ended": 15.0}


def test_the_leader_is_the_service() -> None:
    """It is read of the processes that run."""
    session = os.getsid(0)
    names = {pid: name for name, pid in CpuTime.of(session).by_process}
    assert names.get(session, "service") == "service"
    assert os.getpid() in names
