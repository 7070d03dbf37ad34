"""What an import costs and brings along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("model", "index")

# What the import of libraries does is their business: they come first.
LIBRARIES = """
import torch, numpy, scipy.linalg, scipy.spatial.distance, scipy.signal, h5py, soundfile, soxr
import PIL.Image, PIL.ImageOps, av, safetensors.torch, faiss, jaxtyping, filelock, sqlite3, urllib.request
import matplotlib.backends.backend_agg, matplotlib.style, sklearn.cluster, sklearn.manifold, threadpoolctl
"""

# Reports, for each module of ours, what it opens for writing, connects to, starts or reads outside Python's own
# files while it is imported.
WATCH = """
import importlib, sys, threading
ours = sys.argv[1:]
watched = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir", "os.remove",
           "os.rename", "sqlite3.connect", "urllib.Request", "os.system")
python = (".py", ".pyc", ".so", ".pyi")
seen = []
def hook(event, args):
    if event not in watched:
        return
    if event == "open":
        name, mode = str(args[0]), args[1]
        internal = "__pycache__" in name or name.endswith(python)
        if internal or name == "None" or "site-packages" in name or name.startswith(sys.prefix):
            return
    if event in ("os.mkdir", "os.rename") and "__pycache__" in str(args[0]):
        return
    seen.append((event, str(args[0])))
sys.addaudithook(hook)
threads = threading.active_count()
for name in ours:
    importlib.import_module(name)
assert threading.active_count() == threads, "an import started a thread"
sys.exit(f"imports did work: {seen}" if seen else 0)
"""


def modules() -> list[str]:
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    return [name.removesuffix(".__init__") for name in names]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-c", code, *arguments]  # what is compiled is not kept
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["model.data.latents", "model.data.distance", "model.errors", "index"])
def test_the_numpy_part_needs_no_torch(module: str) -> None:
    """Latents, their distance and everything in `index` import without torch or librosa."""
    names = [name for name in modules() if name == module or name.startswith(f"{module}.")]
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
sys.exit(" ".join({"torch", "librosa", "h5py", "av", "fastapi"} & set(sys.modules)) or 0)
"""
    found = run(code, *names)
    assert names
    assert found.returncode == 0, found.stderr


def test_imports_do_no_work() -> None:
    """Importing any module of model and index opens no file, connects nowhere and starts nothing."""
    found = run(LIBRARIES + WATCH, *modules())
    assert found.returncode == 0, found.stderr


def test_the_watch_notices_work(tmp_path: Path) -> None:
    """A module that writes a file, or connects, when it is imported is caught: the test above can fail."""
    lines = {
        "writer": "open('written', 'w').close()",
        "caller": "import socket; socket.getaddrinfo('localhost', 1)",
    }
    for name, line in lines.items():
        (tmp_path / f"{name}.py").write_text(line)
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import os; os.chdir({str(tmp_path)!r})\n{WATCH}"
        assert "imports did work" in run(code, name).stderr
