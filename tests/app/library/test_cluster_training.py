"""Training on a Ray cluster: what it learns is what one process learns, whatever dies meanwhile."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from corpus_samples import planted_corpus, write_planted_archive
from service_samples import Command

from model.errors import WorkerFailure
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT

CPU = torch.device("cpu")
SMALL = replace(DEFAULT, latent=8, hidden=32, epochs=12, held_epochs=1, patience=12, batch=30)
MOST_APART = 1e-3  # of the largest weight of a tensor
MOST_WAIT_S = 600.0


def assert_alike(found: Trained, expected: Trained) -> None:
    weights = expected.checkpoint.model.state_dict()
    for key, value in found.checkpoint.model.state_dict().items():
        assert (value - weights[key]).abs().max() <= MOST_APART * weights[key].abs().max(), key
    assert found.validation.mrr == pytest.approx(expected.validation.mrr, abs=0.01)
    assert len(found.epochs) == len(expected.epochs)


@pytest.mark.ray
def test_a_killed_worker_costs_its_epoch(tmp_path: Path) -> None:
    """Two processes train, one is killed after the first saved epoch; both begin again after the last saved one."""
    from app.library.cluster_training import train_together
    from app.processes.cluster import joined
    from benchmarks.service.ray_cluster import TRAINS, working

    corpus, held_out, state = planted_corpus(40), planted_corpus(10, seed=1), tmp_path / "run.state"
    saved, killed = list[float](), threading.Event()

    with working(2) as nodes:

        def kill_midway() -> None:
            deadline = time.monotonic() + MOST_WAIT_S
            while not (first := state.with_name("run.state.0")).exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            saved.append(first.stat().st_mtime)
            assert nodes.kill_worker(TRAINS)
            killed.set()

        killer = threading.Thread(target=kill_midway)
        with joined(nodes.address):
            with pytest.raises(WorkerFailure, match="3 workers given, at most 2"):
                train_together(3, tmp_path, corpus, SMALL, ("raw", "raw-1"), 0, held_out, state)
            killer.start()
            found = train_together(2, tmp_path, corpus, SMALL, ("raw", "raw-1"), 0, held_out, state)
        killer.join()
    assert killed.is_set()
    assert state.with_name("run.state.0").stat().st_mtime > saved[0], "it went on after the kill"
    assert_alike(found, train(corpus, SMALL, ("raw", "raw-1"), 0, CPU, held_out))


def test_workers_need_a_cluster(echolens: Command, tmp_path: Path) -> None:
    """Their number without --ray is wrong usage."""
    archive = write_planted_archive(tmp_path / "features.npz", {"train": 4, "val": 2})
    ran = echolens("train", "--archive", archive, "--out", tmp_path / "model", "--workers", 2)
    assert ran.code == 2
    assert "--ray" in ran.err
