"""Training as a job: beside ingest, in a process that may be killed, gone on with, and judged before it serves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from service_samples import (
    assert_answers,
    assert_problem,
    ended_job,
    film,
    ingest_into,
    job_of,
    location_of,
    serving,
    until,
    upload,
)
from starlette.testclient import TestClient

import app.jobs.training_job
import app.jobs.training_process
import app.processes.cores
from app.jobs.jobs import Jobs
from app.jobs.runner import Ended, RunningJob
from app.jobs.training_job import TrainingWork
from app.jobs.training_process import (
    Failed,
    Finished,
    Lost,
    Message,
    Order,
    Progress,
    Retried,
    _corpus,
    _learn,
    work,
)
from app.library.adoption import adopt
from app.library.features import corpus_of
from app.library.ingest import Source
from app.library.session import Session
from app.settings import Settings
from index.library import Library
from index.records import Job
from model.data.corpus import Corpus
from model.errors import DeviceError, DeviceMemoryShort, LibraryBusy
from model.network.device import DeviceName
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT, Recipe
from model.training.run import Epoch
from model.training.state import TrainingState

CPU = torch.device("cpu")
LONG = 1000  # epochs that no test waits for
WAIT_S = 300.0


@pytest.fixture
def untrained(library: Path, tmp_path: Path) -> Path:
    """Copy the library, and let no model have encoded it: whatever is learnt is adopted."""
    directory = Path(shutil.copytree(library, tmp_path / "untrained"))
    with Library.open(directory) as opened:
        opened.catalogue.replace_latents("none", [])
        with opened.catalogue._store.write() as c:
            c.execute("UPDATE meta SET value = NULL WHERE key = 'fingerprint'")
    return directory


def begun(client: TestClient, epochs: int = 2, seed: int = 0) -> str:
    answer = client.post("/jobs", json={"kind": "train", "seed": seed, "epochs": epochs})
    assert answer.status_code == 202, answer.text
    assert location_of(answer) == f"/jobs/{answer.json()['job_id']}"
    return str(answer.json()["job_id"])


def done(client: TestClient, job_id: str) -> dict[str, Any]:
    until(lambda: job_of(client, job_id)["state"] not in ("queued", "running"), WAIT_S)
    return job_of(client, job_id)


def pid_of(client: TestClient) -> int | None:
    pid: int | None = client.app.state.service.jobs.training_pid  # type: ignore[attr-defined]
    return pid


def directory_of(library: Path, job_id: str) -> Path:
    return library / "cache" / "training" / job_id


def learning(library: Path, job_id: str) -> bool:
    """Say whether some epoch is on the disk."""
    return (directory_of(library, job_id) / "state.0").exists()


def epochs_of(library: Path, job_id: str) -> int:
    return len(TrainingState.load(directory_of(library, job_id) / "state.0").facts["epochs"])


def is_gone(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def left_behind(library: Path, state: str, payload: dict[str, Any]) -> None:
    """Leave behind what a service that was killed leaves: a training job, j."""
    now = "2026-01-01T00:00:00+00:00"
    with Library.open(library) as opened:
        opened.catalogue.queue.accept(Job("j", "train", state, payload, 0.0, {}, now, now), 100)  # type: ignore[arg-type]


def order(library: Path, directory: Path, epochs: int = 2) -> Order:
    return Order(library, "cpu", directory, 0, "default", epochs, 1)


def learnt(session: Session, corpus: Corpus, recipe: Recipe) -> Trained:
    return train(corpus, recipe, (session.front_end.name, session.front_end.identity), 0, session.device)


def test_a_training_tells_both_figures_and_does_as_it_says(own_library: Path) -> None:
    """Adopted: all latents are the new model's; else nothing changed. What was kept to go on from is gone."""
    with serving(own_library) as client:
        before = client.get("/health/ready").json()["fingerprint"]
        job_id = begun(client)
        job = done(client, job_id)
        assert (job["kind"], job["state"], job["progress"], job["error_count"]) == ("train", "done", 1.0, 0), job
        result = job["result"]
        assert set(result["new"]) == set(result["serving"]) == {"mrr", "chance", "videos"}
        assert result["basis"] in ("same held-out videos", "its own held-out videos")
        better = result["new"]["mrr"] / result["new"]["chance"] > result["serving"]["mrr"] / result["serving"]["chance"]
        assert result["adopted"] is better
        serving_now = client.get("/health/ready").json()["fingerprint"]
        assert serving_now == (result["fingerprint"] if better else before)
        assert (result["videos"], result["pairs"], result["device"]) == (6, 30, "cpu")
        assert {tuple(point) for point in result["curve"]} == {("run", "runs", "epoch", "held_out_mrr")}
        assert all(0 < point["held_out_mrr"] <= 1 for point in result["curve"])
        assert job["subject"] is None
        assert job["notes"][0].startswith("6 videos with sound and picture: with fewer than ")
        assert_answers(client)
    assert not directory_of(own_library, job_id).exists()


def test_an_untrained_library_takes_the_first_model(untrained: Path) -> None:
    """It could not be searched; after the job it can, by the new model, in this very service."""
    with serving(untrained) as client:
        question = {"segment_id": "30", "target": "visual", "k": "1"}
        assert_problem(client.post("/retrieve", data=question), 409, "untrained_library")
        result = done(client, begun(client))["result"]
        assert (result["adopted"], result["serving"], result["basis"]) == (True, None, None)
        assert client.get("/health/ready").json()["fingerprint"] == result["fingerprint"]
        assert_answers(client)


def test_one_training_at_a_time_beside_ingest(own_library: Path, tmp_path: Path) -> None:
    """While it runs a second is refused, an upload comes in and questions are answered; cancelled, all is gone."""
    with serving(own_library) as client:
        job_id = begun(client, LONG)
        until(lambda: learning(own_library, job_id), WAIT_S)
        assert_problem(client.post("/jobs", json={"kind": "train"}), 409, "training_runs", job_id)
        uploaded = upload(client, film(tmp_path / "c.mp4", 1, 2, 1.0)).json()["job_id"]
        assert ended_job(client, uploaded)["state"] == "done"
        assert_answers(client)
        pid = pid_of(client)
        running = job_of(client, job_id)
        assert (running["state"], 0 < running["progress"] < 1) == ("running", True)
        assert [note.split(":")[0] for note in running["notes"]] == ["6 videos with sound and picture"]
        assert pid is not None
        answer = client.delete(f"/jobs/{job_id}").json()
        assert answer["cancelling"] or answer["state"] == "cancelled"
        job = done(client, job_id)
        assert (job["state"], job["cancelling"], pid_of(client), is_gone(pid)) == ("cancelled", False, None, True)
        until(lambda: not directory_of(own_library, job_id).exists())
        assert_problem(client.delete(f"/jobs/{job_id}"), 409, "job_ended", job_id)
        assert client.delete(f"/jobs/{begun(client, LONG)}").status_code == 200


def test_a_killed_training_goes_on_and_ends_with_the_same_model(untrained: Path, tmp_path: Path) -> None:
    """kill -9 of its process: another takes over where it was, and learns the same bytes as one that nobody killed."""
    undisturbed = Path(shutil.copytree(untrained, tmp_path / "undisturbed"))
    with serving(untrained) as client:
        job_id = begun(client, 8)
        until(lambda: learning(untrained, job_id), WAIT_S)
        first = pid_of(client)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: pid_of(client) not in (None, first), WAIT_S)
        assert job_of(client, job_id)["state"] == "running"
        assert epochs_of(untrained, job_id) >= 1
        assert client.get("/health/live").status_code == 200
        disturbed = done(client, job_id)
    assert disturbed["state"] == "done", disturbed
    assert [note.split(":")[0] for note in disturbed["notes"]].count("6 videos with sound and picture") == 1
    with Session.open(undisturbed, CPU, create=False) as session:
        expected = learnt(session, corpus_of(session), replace(DEFAULT, epochs=8, taught_epochs=8))
    assert disturbed["result"]["fingerprint"] == expected.checkpoint.fingerprint


def test_a_training_that_is_killed_again_and_again_fails_and_can_be_tried_again(own_library: Path) -> None:
    """Three times it is begun anew, then the job says why; what was learnt is kept, and a retry goes on from it."""
    with serving(own_library) as client:
        job_id, pids = begun(client, LONG), list[int]()
        while job_of(client, job_id)["state"] in ("queued", "running"):
            pid = pid_of(client)
            if pid is not None and pid not in pids and (pids or learning(own_library, job_id)):
                pids.append(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        job = job_of(client, job_id)
        assert (job["state"], job["result"]["code"], len(pids)) == ("failed", "training", 4), job
        assert "-9" in job["result"]["detail"]
        kept = epochs_of(own_library, job_id)
        assert kept >= 1
        assert client.post(f"/jobs/{job_id}/retry").json()["state"] in ("queued", "running")
        until(lambda: epochs_of(own_library, job_id) > kept, WAIT_S)
        assert_problem(client.post("/jobs", json={"kind": "train"}), 409, "training_runs", job_id)
        client.delete(f"/jobs/{job_id}")
        assert done(client, job_id)["state"] == "cancelled"


def test_a_service_that_stops_takes_its_training_up_again(own_library: Path, tmp_path: Path) -> None:
    """The job is queued, its process gone; the next service goes on with the videos that it began with."""
    with serving(own_library) as client:
        job_id = begun(client, 8)
        until(lambda: learning(own_library, job_id), WAIT_S)
        pid = pid_of(client)
        assert pid is not None
    assert is_gone(pid)
    with Library.open(own_library) as library:
        left = library.catalogue.queue.job(job_id)
    assert (left.state, left.progress > 0) == ("queued", True)
    epochs = epochs_of(own_library, job_id)
    assert epochs >= 1
    ingest_into(own_library, [Source(film(tmp_path / "late.mp4", 1, 2, 1.0), "late.mp4")])
    with serving(own_library) as client:
        told = [job_of(client, job_id)]
        until(lambda: told.append(job_of(client, job_id)) or told[-1]["state"] == "done", WAIT_S)
        assert told[-1]["result"]["videos"] == 6
        assert min(job["progress"] for job in told) >= left.progress


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_training_that_a_kill_of_the_service_left_is_taken_up(own_library: Path, state: str) -> None:
    """Whatever state the kill left it in."""
    left_behind(own_library, state, {"seed": 0, "recipe": "default", "epochs": 1})
    with serving(own_library) as client:
        assert done(client, "j")["state"] == "done"


SERVICE = """
import sys, time
from pathlib import Path
from app.jobs.training_job import TrainingProcess
from app.jobs.training_process import Order
process = TrainingProcess(Order(Path(sys.argv[1]), "cpu", Path(sys.argv[2]), 0, "default", 1000, 1))
print(process.pid, flush=True)
time.sleep(600)
"""


def test_a_training_ends_with_its_service(own_library: Path) -> None:
    """kill -9 of the service: the process that trains does not live on without it."""
    directory = directory_of(own_library, "j")
    command = [sys.executable, "-c", SERVICE, str(own_library), str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        try:
            until(lambda: learning(own_library, "j"), WAIT_S)
            assert not is_gone(pid)
        finally:
            service.kill()
    until(lambda: is_gone(pid))


def test_a_better_model_waits_until_another_writer_is_done(untrained: Path) -> None:
    """The job runs on and asks for the library; free again, the model is swapped in."""
    with Library.open(untrained) as other, serving(untrained) as client:
        wanted = client.app.state.service.jobs._training._writer_wanted  # type: ignore[attr-defined]
        with other.writer():
            job_id = begun(client)
            until(wanted.is_set, WAIT_S)
            assert job_of(client, job_id)["state"] == "running"
        job = done(client, job_id)
        assert (job["state"], job["result"]["adopted"], wanted.is_set()) == ("done", True, False)


def test_a_library_that_cannot_be_learnt_from_fails_the_job(tmp_path: Path) -> None:
    """Nothing in it, or too little: the job's code and detail say so, nothing is left behind, more can be tried."""
    library = tmp_path / "library"
    with serving(library) as client:
        empty = done(client, begun(client))
        assert (empty["state"], empty["result"]["code"]) == ("failed", "empty_library")
        ended_job(client, upload(client, film(tmp_path / "one.mp4", 0, 0, 2.0)).json()["job_id"])
        little = done(client, begun(client))
        assert (little["state"], little["result"]["code"]) == ("failed", "training")
        assert "at least 6 expected" in little["result"]["detail"]
        assert not directory_of(library, little["job_id"]).exists()
        assert_answers(client)


def test_a_fault_in_training_is_the_log_s(own_library: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw ends the job without a word about it, and its traceback is logged; the service goes on."""
    left_behind(own_library, "queued", {"seed": "no number", "recipe": "default", "epochs": 1})
    with serving(own_library) as client:
        job = done(client, "j")
        assert job["result"] == {"code": "internal", "detail": "not foreseen; the log has it"}
        assert_answers(client)
    assert "Traceback" in caplog.text


def test_a_disk_that_refuses_what_is_learnt_fails_the_job(own_library: Path) -> None:
    """Its directory cannot be made: the job says so, and can be tried again once it can."""
    parent = directory_of(own_library, "")
    parent.write_bytes(b"a file where a directory is to be")
    with serving(own_library) as client:
        job_id = begun(client, 1)
        job = done(client, job_id)
        assert (job["state"], job["result"]["code"]) == ("failed", "library")
        parent.unlink()
        client.post(f"/jobs/{job_id}/retry")
        assert done(client, job_id)["state"] == "done"


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"seed": 2**31}, {"recipe": "secret"}, {"epochs": 0}, {"path": "/x"}, {"seed": "a"}]
)
def test_a_training_that_makes_no_sense_is_refused(own_library: Path, wrong: dict[str, object]) -> None:
    """422 at once, and no job."""
    with serving(own_library) as client:
        assert_problem(client.post("/jobs", json={"kind": "train"} | wrong), 422, "invalid_request")
        assert client.get("/jobs").json() == []


# Parts, in this process


def test_a_swap_that_was_cut_off_behind_its_commit_tells_what_it_did(untrained: Path, tmp_path: Path) -> None:
    """Asked again, it gives the judgement of then and changes nothing; without it, a model is no better than itself."""
    verdict = tmp_path / "verdict.json"
    with Session.open(untrained, CPU, create=False) as session:
        trained = learnt(session, corpus_of(session), replace(DEFAULT, epochs=1))
        first = adopt(session, trained, verdict_path=verdict)
        version = session.library.catalogue.catalogue_version
        assert adopt(session, trained, verdict_path=verdict) == first
        assert (first.adopted, first.serving) == (True, None)
        assert session.library.catalogue.catalogue_version == version
        assert not adopt(session, trained, verdict_path=tmp_path / "none.json").adopted
        with session.library.writer(), pytest.raises(LibraryBusy):
            adopt(session, trained)


def test_a_job_keeps_to_its_videos_unless_one_is_gone(own_library: Path, tmp_path: Path) -> None:
    """Videos that come in meanwhile are left out; if one is deleted, what was learnt is thrown away with the choice."""
    directory = tmp_path / "directory"
    with Session.open(own_library, CPU, create=False) as session:
        first = _corpus(session, session.front_end, directory, lambda _: None).video_ids
        (directory / "state.0").write_bytes(b"learnt")
        ingest_into(own_library, [Source(film(tmp_path / "late.mp4", 1, 2, 1.0), "late.mp4")])
        assert _corpus(session, session.front_end, directory, lambda _: None).video_ids == first
        assert (directory / "state.0").exists()
        session.library.catalogue.delete_video(first[0])
        left = _corpus(session, session.front_end, directory, lambda _: None).video_ids
        assert (len(left), set(first) - set(left)) == (6, {first[0]})
        assert not (directory / "state.0").exists()
        (directory / "videos.json").write_text("[")
        assert _corpus(session, session.front_end, directory, lambda _: None).video_ids == left


def test_a_state_that_cannot_be_read_is_thrown_away(own_library: Path, tmp_path: Path) -> None:
    """A power failure cut it off: training begins afresh, and gives what it always gives."""
    directory = tmp_path / "directory"
    with Session.open(own_library, CPU, create=False) as session:
        corpus = _corpus(session, session.front_end, directory, lambda _: None)
        expected = learnt(session, corpus, replace(DEFAULT, epochs=1, taught_epochs=1)).checkpoint.fingerprint
        (directory / "state.0").write_bytes(b"half")
        trained = _learn(session, session.front_end, corpus, order(own_library, directory, 1), lambda _: None)
    assert trained.checkpoint.fingerprint == expected


def test_progress_grows_over_all_runs_and_after_a_cut(own_library: Path, tmp_path: Path) -> None:
    """Folds and the last run each have a share; cut off within the second fold it goes on from there."""
    told: list[Epoch] = []

    class Cut(Exception):
        pass

    def tell(epoch: Epoch) -> None:
        told.append(epoch)
        if cut_at is not None and len(told) == cut_at:
            raise Cut

    directory, cut_at = tmp_path / "directory", 4
    with Session.open(own_library, CPU, create=False) as session:
        corpus = _corpus(session, session.front_end, directory, lambda _: None)
        with pytest.raises(Cut):
            _learn(session, session.front_end, corpus, order(own_library, directory), tell)
        cut_at = None
        _learn(session, session.front_end, corpus, order(own_library, directory), tell)
    shares = [epoch.done for epoch in told]
    assert {epoch.runs for epoch in told} == {4}
    assert shares == sorted(shares)
    folds = [share for share in shares if share <= 0.75]
    assert sorted(set(folds)) == [1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8]
    assert shares[-1] == 1
    assert shares.count(shares[3]) == 2, "the epoch at which it was cut off is done again, no other"
    assert len(set(shares)) == len(shares) - 1


class PlayedProcess:
    """Say what a training process would say, one script after the other; an empty script is a kill."""

    scripts: ClassVar[list[list[Message]]] = []
    devices: ClassVar[list[str]] = []
    pid, exit_code = 1, -9

    def __init__(self, order: Order) -> None:
        self._messages = PlayedProcess.scripts[len(PlayedProcess.devices)][:]
        PlayedProcess.devices.append(order.device)

    def hear(self, _: float) -> Message:
        if not self._messages:
            raise EOFError
        return self._messages.pop(0)

    def end(self) -> None: ...

    def close(self) -> None: ...


class NoQueue:
    """Keep nothing of what a job reports."""

    def update(self, *_: Any, **__: Any) -> None: ...


LOST = Lost(DeviceError("the GPU failed (CUDA error: unspecified launch failure)"))
DONE = Finished({"adopted": True}, ("trained anew",))


def played(monkeypatch: pytest.MonkeyPatch, device: DeviceName, *scripts: list[Message]) -> tuple[Ended, list[str]]:
    """Do a job with processes that play scripts; return how it ended, and the devices that they were ordered to use."""
    monkeypatch.setattr(PlayedProcess, "scripts", list(scripts))
    monkeypatch.setattr(PlayedProcess, "devices", [])
    monkeypatch.setattr(app.jobs.training_job, "TrainingProcess", PlayedProcess)
    session: Any = SimpleNamespace(library=SimpleNamespace(directory=Path("library"), cache=Path("cache")))
    now, queue = "2026-01-01T00:00:00+00:00", NoQueue()
    job = Job("j", "train", "running", {"seed": 0, "recipe": "default", "epochs": 1}, 0.0, {}, now, now)
    running = RunningJob(queue, job)  # type: ignore[arg-type]
    ended = TrainingWork(session, device, 1, threading.Event()).do(running)
    assert ended is not None
    return ended, PlayedProcess.devices


def test_a_training_that_loses_its_gpu_goes_on_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was killed does; the job's messages say so."""
    ended, devices = played(monkeypatch, "auto", [Progress(0.1), LOST], [], [DONE])
    assert (ended.state, devices) == ("done", ["auto"] * 3)
    assert [message.detail for message in ended.messages] == ["trained anew", f"{LOST.error}: another process went on"]


def test_where_the_gpu_fails_each_time_the_last_process_takes_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """If any device may be taken; `cuda` is kept to, and the job fails by the name of that failure."""
    ended, devices = played(monkeypatch, "auto", [LOST], [LOST], [LOST], [DONE])
    assert (ended.state, devices) == ("done", ["auto", "auto", "auto", "cpu"])
    with pytest.raises(DeviceError, match="unspecified launch failure"):
        played(monkeypatch, "cuda", [LOST], [LOST], [LOST], [LOST])
    assert PlayedProcess.devices == ["cuda"] * 4


def test_the_curve_begins_anew_with_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs with a batch that did not fit are not of the model that is made."""
    first, second = ({"run": 0, "runs": 1, "epoch": 0, "held_out_mrr": mrr} for mrr in (0.1, 0.2))
    ended, _ = played(monkeypatch, "auto", [Progress(0.1, first), Retried("too little"), Progress(0.1, second), DONE])
    assert ended.result["curve"] == [second]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.AcceleratorError("CUDA error: unspecified launch failure"), DeviceError),
        (torch.OutOfMemoryError("CUDA out of memory"), DeviceMemoryShort),
        (DeviceError("the GPU failed"), DeviceError),
    ],
)
def test_a_process_that_loses_its_gpu_says_so_and_keeps_what_was_learnt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, said: type[DeviceError]
) -> None:
    """Whichever library met the failure, and wherever: in training it has been tried with less memory before."""

    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(app.jobs.training_process, "_train", fail)
    (message,) = said_by_work(monkeypatch, order(tmp_path, tmp_path))
    assert isinstance(message, Lost)
    assert type(message.error) is said
    assert tmp_path.exists()


def test_a_process_without_the_device_that_was_given_fails_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another one would not find it either; what was learnt is kept for the next try."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (message,) = said_by_work(monkeypatch, replace(order(tmp_path, tmp_path), device="cuda"))
    assert isinstance(message, Failed)
    assert (message.code, "use auto or cpu" in message.detail, tmp_path.exists()) == ("device", True, True)


def said_by_work(monkeypatch: pytest.MonkeyPatch, ordered: Order) -> list[Message]:
    """Return what the process of an order sends, done in this one."""
    for name in ("_be_modest", "_end_with"):
        monkeypatch.setattr(app.jobs.training_process, name, lambda *_: None)
    said: list[Message] = []
    work(SimpleNamespace(send=said.append), ordered)  # type: ignore[arg-type]
    return said


def test_training_has_a_device_of_its_own(own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting's, else that of serving; by its name, since the service leaves GPUs to its processes."""
    with Session.open(own_library, CPU, create=False) as session:
        monkeypatch.setenv("ECHOLENS_DEVICE", "cuda")
        assert Jobs(session, Settings())._training._device == "cuda"
        monkeypatch.setenv("ECHOLENS_TRAINING_DEVICE", "cpu")
        assert Jobs(session, Settings())._training._device == "cpu"


def test_the_process_leaves_the_machine_to_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is niced, takes the threads that it is given, and leaves Ctrl-C to the service."""
    said: list[object] = []
    process = app.jobs.training_process
    monkeypatch.setattr(process.os, "nice", said.append)
    monkeypatch.setattr(app.processes.cores.torch, "set_num_threads", said.append)
    monkeypatch.setattr(app.processes.cores, "threadpool_limits", said.append)
    monkeypatch.setattr(process.signal, "signal", lambda *given: said.append(given))
    monkeypatch.setattr(process.Path, "write_text", lambda *_: 0)
    process._be_modest(3)
    assert said == [(signal.SIGINT, signal.SIG_IGN), 10, 3, 3]
