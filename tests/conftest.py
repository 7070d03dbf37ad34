"""What tests share: the shared media where they are at hand, and one small library for the whole run."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
import torch
from service_samples import Command, Ran, film_footage, make_library, serving
from starlette.testclient import TestClient

from app.cli import main
from app.http import key_limits
from model.frontends import weights

os.environ.setdefault("OMP_NUM_THREADS", "1")
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": uuid4().hex,
    "RAY_worker_niceness": "0",
}
os.environ |= RAY  # before anything imports it: its clusters are those of this run alone, and report nothing
ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the whole suite see a CUDA device."""
    parser.addoption("--gpu", action="store_true", help="let tests use a CUDA device; -m gpu runs those that need one")


def pytest_configure(config: pytest.Config) -> None:
    """One thread: tests are small, and several only wait for each other. No CUDA device, unless it is asked for."""
    torch.set_num_threads(1)
    if not _may_use_gpu(config):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # nothing has begun CUDA yet, and what tests start inherits this
    for name in [name for name in os.environ if name.startswith("ECHOLENS_")]:
        del os.environ[name]  # the settings of whoever runs the tests are not those that are tested


def _may_use_gpu(config: pytest.Config) -> bool:
    return bool(config.getoption("gpu") or config.getoption("markexpr") == "gpu")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with a reason, what this machine cannot run."""
    no_gpu = "no CUDA device" if _may_use_gpu(config) else "CUDA devices are hidden: `-m gpu` or `--gpu` shows them"
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the shared media are not beside this checkout"))
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # Ray's own
            if find_spec("ray") is None:
                item.add_marker(pytest.mark.skip(reason="Ray is not installed: it is the extra ray"))
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason=no_gpu))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the directory of shared media; only for tests marked `shared`."""
    return SHARED


@pytest.fixture
def open_path() -> Iterator[Path]:
    """Return a directory that other users may enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Film six clips of five seconds, two of each of three kinds: FILE's stem is KIND-NUMBER."""
    return film_footage(tmp_path_factory.mktemp("footage"))


@pytest.fixture(scope="session")
def pristine(footage: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ingest the footage, labelled, into a `raw` library with the shipped model; only to be copied."""
    return make_library(tmp_path_factory.mktemp("pristine"), footage)


@pytest.fixture(scope="session")
def library(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the library for tests that only read or serve it; a service that was killed leaves SQLite's log there."""
    return Path(shutil.copytree(pristine, tmp_path_factory.mktemp("library"), dirs_exist_ok=True))


@pytest.fixture(scope="session")
def client(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve a copy of the library to tests that change nothing."""
    directory = tmp_path_factory.mktemp("served")
    shutil.copytree(library, directory, dirs_exist_ok=True)
    with serving(directory) as client:
        yield client


@pytest.fixture
def own_library(pristine: Path, tmp_path: Path) -> Path:
    """Copy the library for a test that changes or breaks it."""
    return Path(shutil.copytree(pristine, tmp_path / "own_library"))


@pytest.fixture
def any_number_of_wrong_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not slow down an address that sends wrong keys, for tests that send many of them from one."""
    monkeypatch.setattr(key_limits, "MOST_WRONG_PER_MINUTE", 10**6)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the weights' home be a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/yamnet.tflite"
    monkeypatch.setattr(weights, "PULLED", (replace(weights.YAMNET, url=url),))


@pytest.fixture
def echolens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command line in this process, as `echolens ARGUMENTS`."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["echolens", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run
