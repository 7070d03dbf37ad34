"""Turns: one computes, few wait, the others are told to come again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from service_samples import until

from app.library.one_at_a_time import OneAtATime
from model.errors import LibraryBusy


def test_one_computes_and_few_wait() -> None:
    """Never two at once; beyond those who may wait the refusal is raised; all who waited have their turn."""
    turns, go_on = OneAtATime(2, lambda: LibraryBusy("later")), threading.Event()
    inside, most_inside, done = 0, 0, 0

    def compute() -> None:
        nonlocal inside, most_inside, done
        with turns.take():
            inside += 1
            most_inside = max(most_inside, inside)
            assert go_on.wait(30)
            inside -= 1
            done += 1

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(compute) for _ in range(3)]
        until(lambda: inside == 1 and turns.waiting == 2)
        with pytest.raises(LibraryBusy, match="later"), turns.take():
            pytest.fail("a fourth was let in")
        go_on.set()
        for future in asked:
            future.result()
    assert (most_inside, done) == (1, 3)


def test_an_error_ends_the_turn() -> None:
    """What fails leaves the turn to the next."""
    turns = OneAtATime(0, lambda: LibraryBusy("later"))
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"), turns.take():
            raise ValueError("broken")
