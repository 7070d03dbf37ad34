"""A library outlives kill -9: `python -m benchmarks.robustness.crash`, for two rounds; and what its judge finds."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.library.ingest import Source, ingest
from app.library.session import Session
from benchmarks.robustness.crash import CPU, KINDS, Ledger, Round, judge, make_reference, plan_round, run
from benchmarks.service.short_clips import make_clips
from index.records import Job
from model.media.medium import FOOTAGE


def test_a_library_outlives_kills(tmp_path: Path) -> None:
    """Two rounds: nothing acknowledged is lost, nothing is there twice, all agrees, the service starts by itself."""
    report = run(tmp_path, 2, 0, 4)
    assert {kind: report[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0), report["problems"]
    assert report["acknowledged"]["job done"] > 0
    assert report["videos_at_the_end"] > 0


def test_the_plan_follows_from_the_seed() -> None:
    """One seed, one plan; another, another. A kill is aimed at a step that there is."""
    plans = [[plan_round(rng) for _ in range(20)] for rng in map(np.random.default_rng, (0, 0, 1))]
    assert plans[0] == plans[1] != plans[2]
    assert all(0 <= plan.aimed < len(plan.steps) and plan.delay_s >= 0 for plan in plans[0])
    assert {what for plan in plans[0] for what, _ in plan.steps} == {"upload", "delete", "label"}
    assert isinstance(plans[0][0], Round)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    """Make a library of three of four files, and the ledger that acknowledges just these."""
    directory = tmp_path_factory.mktemp("crash")
    files = make_clips(directory / "clips", 4, 0)
    ledger = Ledger(make_reference(directory / "reference", files))
    with Session.open(directory / "library", CPU, "raw") as session:
        ingest(session, [Source(file, file.name) for file in files[:3]], FOOTAGE, decoders=1)
    ledger.there = {file.name: None for file in files[:3]}
    return directory / "library", ledger


@pytest.fixture
def left(whole: tuple[Path, Ledger], tmp_path: Path) -> tuple[Path, Ledger]:
    """Return a copy of it that a test may harm."""
    shutil.copytree(whole[0], tmp_path / "library")
    return tmp_path / "library", Ledger(whole[1].expected, there=dict(whole[1].there))


def change(statement: str) -> Callable[[Path, Ledger], None]:
    """Return what changes the catalogue behind the ledger's back."""

    def changing(library: Path, _: Ledger) -> None:
        connection = sqlite3.connect(library / "catalogue.sqlite")
        with connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(statement)
        connection.close()

    return changing


def forget(_: Path, ledger: Ledger) -> None:
    """Say that the first video's deletion was acknowledged."""
    del ledger.there[min(ledger.there)]


def spoil(library: Path, _: Ledger) -> None:
    path = library / "catalogue.sqlite"
    path.write_bytes(path.read_bytes()[:5000])


def promise(state: str) -> Callable[[Path, Ledger], None]:
    """Return what acknowledges the ingest of the fourth file, whose job has this state; "" for no job."""

    def promising(library: Path, ledger: Ledger) -> None:
        ledger.pending["j"] = max(ledger.expected)
        now = datetime.now(UTC).isoformat()
        job = Job("j", "ingest", "queued", {"path": "media/x", "file_name": max(ledger.expected)}, 0.0, {}, now, now)
        if state:
            with Session.open(library, CPU) as session:
                queue = session.library.catalogue.queue
                if not queue.jobs():
                    queue.accept(job, 100)
                queue.update("j", state=state)  # type: ignore[arg-type]

    return promising


def doubt(library: Path, ledger: Ledger) -> None:
    """Say that a deletion was sent and not answered, and let it have happened."""
    name = min(ledger.there)
    ledger.unsure.add(name)
    change(f"DELETE FROM videos WHERE file_name = '{name}'")(library, ledger)


def test_what_was_acknowledged_and_is_there_is_no_problem(left: tuple[Path, Ledger]) -> None:
    """A library as it should be, a job that waits, and a deletion that was not answered."""
    for harmless in (lambda *_: None, promise("queued"), promise("running"), doubt):
        harmless(*left)
        assert list(judge(*left)) == []
        left[1].pending.clear()


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (change("DELETE FROM videos WHERE position = 1"), "lost"),
        (promise(""), "lost"),
        (promise("done"), "lost"),
        (promise("failed"), "lost"),
        (change("UPDATE videos SET file_name = (SELECT max(file_name) FROM videos)"), "doubled"),
        (forget, "disagreements"),
        (change("DELETE FROM segments WHERE segment_id = 1"), "disagreements"),
        (change("DELETE FROM latents WHERE segment_id = 1 AND modality = 'visual'"), "disagreements"),
        (change("UPDATE latents SET mu = sigma WHERE segment_id = 1"), "disagreements"),
        (change("UPDATE videos SET label = 'bell' WHERE position = 1"), "disagreements"),
        (change("UPDATE videos SET path = 'media/gone' WHERE position = 1"), "disagreements"),
        (change("UPDATE meta SET value = 'zero' WHERE key = 'fingerprint'"), "unopened"),
        (spoil, "unopened"),
    ],
)
def test_the_judge_finds(left: tuple[Path, Ledger], harm: Callable[[Path, Ledger], None], kind: str) -> None:
    """A video that is gone, back, doubled, half in or changed; a job without its video; what does not open."""
    harm(*left)
    assert kind in {found for found, _ in judge(*left)}
