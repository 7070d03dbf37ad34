"""Dockerfile, docker-compose.yml and .env.example agree with each other, with pyproject.toml and with the docs.

What they do is tried by `python -m benchmarks.robustness.containers`, which needs a container engine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ASKED_FOR = {
    "COMPOSE_PROJECT_NAME",
    "ECHOLENS_API_KEY",
    "ECHOLENS_API_KEY_FILE",
    "ECHOLENS_BIND_ADDRESS",
    "ECHOLENS_PUBLISHED_PORT",
    "ECHOLENS_UID",
    "ECHOLENS_GID",
    "ECHOLENS_DATA_PATH",
    "ECHOLENS_SNAPSHOTS_PATH",
    "ECHOLENS_FOOTAGE_PATH",
    "ECHOLENS_WATCH",
    "ECHOLENS_MEMORY",
}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return read


def variables(text: str) -> dict[str, str]:
    """Return the variables that Compose puts in, with what stands in for one that is not set."""
    return dict(re.findall(r"(?<!\$)\$\{(\w+):?[-?]?([^}]*)\}", text))


def example() -> dict[str, str]:
    """Return the variables of .env.example, those behind a # too."""
    return dict(re.findall(r"^(?:# )?([A-Z_]+)=(\S*)$", EXAMPLE, re.MULTILINE))


def test_the_example_has_what_a_home_server_sets() -> None:
    """A key, where it is reached, who it is, where its data and the footage are."""
    assert set(example()) == ASKED_FOR


def test_compose_reads_every_variable_of_the_example() -> None:
    """COMPOSE_PROJECT_NAME is Compose's own; the others stand in the file, with the same defaults."""
    read = variables(COMPOSE)
    assert set(example()) - {"COMPOSE_PROJECT_NAME"} <= set(read)
    for name in ("ECHOLENS_BIND_ADDRESS", "ECHOLENS_PUBLISHED_PORT", "ECHOLENS_UID", "ECHOLENS_GID", "ECHOLENS_MEMORY"):
        assert example()[name] == read[name], name


def test_every_variable_of_compose_is_documented() -> None:
    """In .env.example or in docs/operations.md."""
    told = set(example()) | set(re.findall(r"`(\w+)`", OPERATIONS))
    assert set(variables(COMPOSE)) - told == set()


def test_a_published_port_is_loopback_s_unless_a_variable_says_otherwise() -> None:
    """A service that is reached from elsewhere was meant to be."""
    published = re.findall(r'ports: (?:&\w+ )?\["(.*)"\]', COMPOSE)
    assert len(published) == 3
    for port in published:
        assert port.startswith(("127.0.0.1:", "${ECHOLENS_BIND_ADDRESS:-127.0.0.1}:")), port


def test_the_service_is_healthy_or_not_by_its_own_word_and_never_root() -> None:
    """The image's check asks /health/ready; image and Compose name the same user, who is not root."""
    assert "/health/ready" in DOCKERFILE
    assert f"USER {example()['ECHOLENS_UID']}:{example()['ECHOLENS_GID']}\n" in DOCKERFILE
    assert 'user: "${ECHOLENS_UID:-10001}:${ECHOLENS_GID:-10001}"' in COMPOSE


def test_the_labels_say_what_the_package_says(project: dict[str, Any]) -> None:
    """The version, the description and the licence."""
    assert f"ARG VERSION={project['version']}\n" in DOCKERFILE
    assert f'image.description="{project["description"]}"' in DOCKERFILE
    assert f'image.licenses="{project["license"]}"' in DOCKERFILE


def test_what_nothing_needs_that_serves_is_an_extra(project: dict[str, Any]) -> None:
    """Matplotlib draws the figures of `evaluate`, mcp serves assistants; `make test` alone needs them."""
    extras = project["optional-dependencies"]
    for needed in (project["dependencies"], extras["cpu"], extras["gpu"]):
        assert not any(name.startswith(("matplotlib", "mcp")) for name in needed)
    assert any(name.startswith("matplotlib") for name in extras["figures"])
    assert any(name.startswith("mcp") for name in extras["mcp"])
    assert "figures,mcp,ray,dev]" in MAKEFILE


def pins(name: str) -> dict[str, tuple[str, str]]:
    """Return operator and version by package, of a constraints file."""
    found = re.findall(r"^([\w.-]+?)(={2,3})([^=\s]+)$", (ROOT / name).read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): (operator, version) for package, operator, version in found}


def test_the_pins_of_the_gpu_add_to_those_of_the_cpu(project: dict[str, Any]) -> None:
    """They share torch alone, at one version: as `===`, which its build for the CPU, 2.13.0+cpu, does not satisfy."""
    both, gpu = pins("constraints.txt"), pins("constraints-gpu.txt")
    assert set(both) & set(gpu) == {"torch"}
    assert (both["torch"][0], gpu["torch"]) == ("==", ("===", both["torch"][1]))
    extra = {re.split(r"[><=~]", requirement)[0] for requirement in project["optional-dependencies"]["gpu"]}
    assert extra == {"faiss-gpu", "nvidia-ml-py"} <= set(gpu)
    assert {"triton", "nvidia-cudnn-cu13"} <= set(gpu)
    assert "faiss-gpu" not in both


@pytest.mark.parametrize(("faiss", "constrained"), [("cpu", False), ("gpu", True)])
def test_make_installs_the_gpu_by_its_pins(faiss: str, constrained: bool) -> None:
    """`make serve FAISS=gpu` and `make test FAISS=gpu` hand both files to pip, without it one."""
    command = ["make", "--dry-run", "--always-make", "install-dev", f"FAISS={faiss}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    installs = [line for line in said.splitlines() if " -e " in line]
    assert len(installs) == 2
    for line in installs:
        assert "-c constraints.txt" in line
        assert ("-c constraints-gpu.txt" in line) == constrained


@pytest.mark.parametrize(
    ("variant", "cuda", "faiss_gpu", "right"),
    [
        ("cpu", None, False, True),
        ("gpu", "13.0", True, True),
        ("cpu", "13.0", False, False),
        ("gpu", None, True, False),
        ("gpu", "13.0", False, False),
    ],
)
def test_a_build_with_the_wrong_torch_or_faiss_fails(
    variant: str, cuda: str | None, faiss_gpu: bool, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Dockerfile's own lines are run, on stand-ins for both packages."""
    (check,) = re.findall(r'python -c "(import sys, faiss, torch.*?)" "\$VARIANT"', DOCKERFILE, re.DOTALL)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(version=SimpleNamespace(cuda=cuda)))
    monkeypatch.setitem(sys.modules, "faiss", SimpleNamespace(**{"StandardGpuResources": 0} if faiss_gpu else {}))
    monkeypatch.setattr(sys, "argv", ["-c", variant])
    with pytest.raises(SystemExit) as ended:
        exec(check.replace("\\\n", ""), {})
    assert (ended.value.code == 0) == right, ended.value.code


def test_compiled_kernels_outlast_the_container() -> None:
    """CUDA keeps them in the library's cache, which is on the volume and in no snapshot."""
    (kept,) = re.findall(r"CUDA_CACHE_PATH=(\S+)", DOCKERFILE)
    (data,) = re.findall(r"ECHOLENS_DATA=(\S+)", DOCKERFILE)
    assert Path(kept).parent == Path(data) / "cache"


def test_the_image_has_what_it_is_built_from() -> None:
    """.dockerignore keeps everything back but what the Dockerfile copies; secrets are not among it."""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    assert kept == copied
    assert ".env" in (ROOT / ".gitignore").read_text().split()
