"""A service whose GPU fails: what is asked meanwhile is refused, and another process answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import failing_gpu
import pytest
import torch
from failing_gpu import NAME, OF_FAISS, OUT_OF_MEMORY, STICKY
from service_samples import assert_problem, ended_job, send, serving, upload
from starlette.testclient import TestClient

from app.library.index_settings import IndexSettings
from app.queries import engine_process
from app.queries.engine import EngineSettings, Ran, name_device, open_galleries, run
from app.queries.engine_process import EngineProcess
from app.service import Service
from model.errors import DeviceError, DeviceMemoryShort, LibraryError, QueryError, WorkerFailure
from model.network.encoder import Encoder

MOST_WAIT_S = 120.0


@pytest.fixture
def client(own_library: Path) -> Iterator[TestClient]:
    with serving(own_library) as client:
        yield client


def in_engine(client: TestClient, function: Any, *args: object) -> Any:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    return service.engine.submit(function, *args).result(MOST_WAIT_S)


def metric(client: TestClient, name: str) -> str:
    lines = client.get("/metrics").text.splitlines()
    return next(line for line in lines if line.startswith(name))


def wait_until_ready(client: TestClient) -> dict[str, Any]:
    """Return the answer of /health/ready once it is 200; every other one names the GPU."""
    deadline = time.monotonic() + MOST_WAIT_S
    while (answer := client.get("/health/ready")).status_code != 200:
        assert_problem(answer, 503, "not_ready", "GPU")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(answer.json())


@pytest.mark.parametrize(
    ("step", "error", "code"),
    [
        ("encode_many", STICKY, "device"),
        ("search_many", OF_FAISS, "device"),
        ("gallery", OUT_OF_MEMORY, "device_memory"),
    ],
)
def test_a_failure_of_the_gpu_ends_the_process(
    client: TestClient, footage: list[Path], step: str, error: Exception, code: str
) -> None:
    """The question that met it gets 503 and is told when to ask again; a new process answers it."""
    in_engine(client, failing_gpu.fail, step, error)
    refused = send(client, footage[0], target="audio", query_modality="visual")
    assert_problem(refused, 503, code, str(error))
    assert int(refused.headers["retry-after"]) >= 1
    wait_until_ready(client)
    assert send(client, footage[0], target="audio", query_modality="visual").status_code == 200
    assert metric(client, "echolens_device_failures") == "echolens_device_failures 1.0"


def test_a_batch_that_meets_a_failure_is_refused_as_a_whole(client: TestClient, footage: list[Path]) -> None:
    """It is asked again later: none of its questions is at fault."""
    in_engine(client, failing_gpu.fail, "encode_many", STICKY)
    files = [("files", (clip.name, clip.read_bytes())) for clip in footage[:2]]
    refused = client.post("/retrieve/batch", files=files, data={"query_modality": "visual", "target": "audio"})
    assert_problem(refused, 503, "device", "illegal memory access")


def test_without_its_gpu_the_service_goes_on_on_the_cpu(client: TestClient, footage: list[Path]) -> None:
    """Each answer, /health/ready and /metrics say which device computed: the GPU, then, after it vanished, the CPU."""
    in_engine(client, failing_gpu.say_gpu)
    fields = {"target": "audio", "query_modality": "visual"}
    assert send(client, footage[0], **fields).json()["device"] == NAME
    assert client.get("/health/ready").json()["device"] == NAME
    assert f'device="{NAME}"' in metric(client, "echolens_model_info")
    in_engine(client, failing_gpu.fail, "encode_many", torch.AcceleratorError("CUDA error: device is lost"))
    assert_problem(send(client, footage[0], **fields), 503, "device", "device is lost")
    assert wait_until_ready(client)["device"] == "cpu"
    assert send(client, footage[0], **fields).json()["device"] == "cpu"
    assert 'device="cpu"' in metric(client, "echolens_model_info")


def test_a_service_that_must_have_a_gpu_does_not_start_without(
    own_library: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what is missing and what to do."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DeviceError, match=r"cuda was given.*use auto or cpu"), serving(own_library, device="cuda"):
        pass
    assert "another process" not in caplog.text  # nothing is begun that could not stand either


def test_footage_is_encoded_on_the_gpu_by_the_engine_alone(
    client: TestClient, tmp_path: Path, footage: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own process, which takes footage in, encodes none of it where the engine has a GPU."""

    def refused(*_: object) -> None:
        raise AssertionError("encoded in the service's process")

    in_engine(client, failing_gpu.say_gpu)
    in_engine(client, failing_gpu.count_encoded)
    monkeypatch.setattr(Encoder, "heads", refused)
    assert taken_in(client, tmp_path, footage[0]) == "added"
    assert in_engine(client, failing_gpu.encoded_rows) > 0


def test_a_gpu_lost_while_footage_is_taken_in_costs_no_footage(
    client: TestClient, tmp_path: Path, footage: list[Path]
) -> None:
    """The CPU encodes it, and it is found."""
    in_engine(client, failing_gpu.say_gpu)
    in_engine(client, failing_gpu.fail_footage, STICKY)
    assert taken_in(client, tmp_path, footage[0]) == "added"
    wait_until_ready(client)
    assert metric(client, "echolens_device_failures") == "echolens_device_failures 1.0"
    assert metric(client, 'echolens_library_latents{modality="visual"}').endswith(" 35.0")


def taken_in(client: TestClient, tmp_path: Path, clip: Path) -> str:
    """Upload a clip that the library does not know yet, and return what became of it."""
    changed = tmp_path / "new.mp4"
    changed.write_bytes(clip.read_bytes() + b"\0\0\0\x08free")  # another file with the same content
    return str(ended_job(client, upload(client, changed).json()["job_id"])["result"]["state"])


class ByHand:
    """Stand in for worker processes: what is submitted waits until the test ends it."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], Future[Ran[Any]]]] = []

    def submit(self, *call: Any, limit_s: float) -> Future[Ran[Any]]:
        self.calls.append((call, Future()))
        return self.calls[-1][1]

    def end(self, outcome: Any) -> tuple[Any, ...]:
        """End the oldest call with an error, or a result of a device; return what was called."""
        call, future = self.calls.pop(0)
        assert future.set_running_or_notify_cancel(), "it was taken back"
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(Ran(*outcome))
        return call


GPU, CPU = ("cuda (one)", None), ("cpu", None)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> tuple[ByHand, EngineProcess]:
    monkeypatch.setattr(engine_process, "FIRST_PAUSE_S", 0.0)
    workers = ByHand()
    settings = EngineSettings(Path("library"), "auto", IndexSettings())
    return workers, EngineProcess(workers, settings)  # type: ignore[arg-type]


def test_calls_are_refused_until_the_new_process_stands(by_hand: tuple[ByHand, EngineProcess]) -> None:
    """They are told why, without waiting; once it has opened its galleries they go through."""
    workers, engine = by_hand
    failed = engine.submit(name_device)
    workers.end(DeviceError("the GPU failed (of a test)"))
    assert isinstance(failed.exception(), DeviceError)
    refused = engine.submit(name_device)
    assert refused.done()
    assert "of a test" in str(refused.exception())
    called, _, opening = workers.end(CPU)
    assert (called, opening) == (run, open_galleries)
    asked = engine.submit(name_device)
    workers.end(("cpu", "an answer"))
    assert asked.result() == "an answer"
    assert (engine.device, engine.failures) == ("cpu", 1)


def test_a_new_process_that_fails_too_is_followed_by_another(by_hand: tuple[ByHand, EngineProcess]) -> None:
    """Calls are refused all the while, with the latest reason."""
    workers, engine = by_hand
    engine.submit(name_device)
    workers.end(DeviceError("the first"))
    workers.end(WorkerFailure("the second"))
    deadline = time.monotonic() + MOST_WAIT_S
    while not workers.calls:
        assert "the second" in str(engine.submit(name_device).exception())
        assert time.monotonic() < deadline
    workers.end(GPU)
    assert engine.on_gpu


def test_calls_that_wait_behind_a_failure_are_refused(by_hand: tuple[ByHand, EngineProcess]) -> None:
    """They neither wait for the new process nor reach it with the device that it may have given up."""
    workers, engine = by_hand
    engine.submit(name_device)
    waiting = engine.submit(name_device)
    workers.end(DeviceError("the GPU failed (of a test)"))
    assert isinstance(waiting.exception(timeout=0), DeviceError)
    (_, behind), (reopening, _) = workers.calls
    assert behind.cancelled()
    assert reopening[2] == open_galleries


def test_an_error_that_is_none_of_the_gpu_ends_the_reopening(by_hand: tuple[ByHand, EngineProcess]) -> None:
    """The next call is made, and meets that error by its own name."""
    workers, engine = by_hand
    engine.submit(name_device)
    workers.end(DeviceError("the GPU failed (of a test)"))
    workers.end(LibraryError("no library there"))
    asked = engine.submit(name_device)
    workers.end(LibraryError("no library there"))
    assert isinstance(asked.exception(), LibraryError)
    assert engine.failures == 1


@pytest.mark.parametrize(
    "stop", [lambda future: future.cancel(), lambda future: future.set_exception(CancelledError())]
)
def test_a_service_that_stops_begins_no_other_process(
    by_hand: tuple[ByHand, EngineProcess], stop: Callable[[Future[Any]], object], caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the reopening still waited or was at work; it is no failure of the GPU."""
    workers, engine = by_hand
    engine.submit(name_device)
    workers.end(DeviceError("the GPU failed (of a test)"))
    caplog.clear()
    stop(workers.calls[0][1])
    assert (engine.failures, caplog.text) == (1, "")


@pytest.mark.parametrize(("device", "taken"), [("auto", "cpu"), ("cuda", "cuda")])
def test_a_gpu_that_fails_again_and_again_is_left_alone(
    by_hand: tuple[ByHand, EngineProcess], device: Any, taken: str
) -> None:
    """At its third failure in a short while `auto` takes the CPU; where a GPU was asked for it is tried again."""
    workers, _ = by_hand
    engine = EngineProcess(workers, EngineSettings(Path("library"), device, IndexSettings()))  # type: ignore[arg-type]
    devices = []
    for _ in range(3):
        engine.submit(name_device)
        workers.end(DeviceMemoryShort("full"))
        _, settings, _ = workers.end(GPU)
        devices.append(settings.device)
    assert devices == [device, device, taken]


@pytest.mark.parametrize(("before", "refuses"), [(GPU, True), (None, True), (CPU, False)])
def test_a_process_that_ends_on_a_gpu_is_a_failure_of_it(
    by_hand: tuple[ByHand, EngineProcess], before: Any, refuses: bool
) -> None:
    """FAISS ends the process where CUDA fails, and a GPU may hang; on the CPU the question is to blame."""
    workers, engine = by_hand
    if before is not None:
        engine.submit(name_device)
        workers.end(before)
    engine.submit(name_device)
    workers.end(WorkerFailure("ended twice"))
    assert (engine.failures == 1) is refuses
    assert engine.submit(name_device).done() is refuses


def test_other_errors_of_a_call_are_its_own(by_hand: tuple[ByHand, EngineProcess]) -> None:
    """They come out as they are, and the next call goes through."""
    workers, engine = by_hand
    asked = engine.submit(name_device)
    workers.end(QueryError("no sense"))
    assert isinstance(asked.exception(), QueryError)
    assert not engine.submit(name_device).done()
    assert engine.failures == 0
