"""The suite computes on the processor, wherever it runs, unless pytest is told to use a GPU."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from index.gpu_index import gpus

CONFTEST = str(Path(__file__).with_name("conftest.py"))


@pytest.mark.parametrize(
    ("given", "hidden"),
    [
        ({"gpu": False, "markexpr": ""}, True),
        ({"gpu": False, "markexpr": "not gpu"}, True),
        ({"gpu": False, "markexpr": "gpu"}, False),
        ({"gpu": True, "markexpr": ""}, False),
    ],
)
def test_a_gpu_is_hidden_unless_it_is_asked_for(
    given: dict[str, object], hidden: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pytest` hides it, and `-m "not gpu"`; `-m gpu` and `--gpu` leave it to see."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    conftest = request.config.pluginmanager.get_plugin(CONFTEST)
    assert conftest is not None
    conftest.pytest_configure(SimpleNamespace(getoption=given.get))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ("" if hidden else "0")


def test_neither_torch_nor_faiss_sees_a_hidden_gpu(request: pytest.FixtureRequest) -> None:
    """What this run was told holds for both libraries and for the processes that tests start."""
    if request.config.getoption("gpu") or request.config.getoption("markexpr") == "gpu":
        pytest.skip("this run may use a GPU")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert (torch.cuda.device_count(), gpus()) == (0, 0)
