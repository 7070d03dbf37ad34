"""A command imports what it needs and no more: the command line starts fast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from media_samples import tone, write_sound

ROOT = Path(__file__).parents[3]
RUN = """
import sys
unwanted = set(sys.argv.pop(1).split(","))
from app.cli import main
try:
    main()
except SystemExit as ended:
    if ended.code:
        raise
sys.exit(" ".join(sorted(unwanted & set(sys.modules))) or 0)
"""
HEAVY = "torch,numpy,scipy,librosa,faiss,av,PIL,h5py,matplotlib,sklearn,fastapi,uvicorn,httpx2,mcp"
NOT_FOR_A_QUESTION = (
    "librosa,numba,scipy.signal,scipy.stats,sklearn,matplotlib,h5py,fastapi,starlette,uvicorn,prometheus_client,"
    "ai_edge_litert,model.synthesis,model.training,app.server,app.settings"
)


def ran(unwanted: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, unwanted, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_and_version_load_no_heavy_library() -> None:
    """Neither torch nor numpy nor FastAPI, and no other library than those of the terminal."""
    for arguments in (("--help",), ("--version",), ("retrieve", "--help"), ("videos", "--help"), ("mcp", "--help")):
        found = ran(HEAVY, *arguments)
        assert found.returncode == 0, (arguments, found.stderr)


def test_a_question_loads_no_librosa_and_no_server(library: Path, tmp_path: Path) -> None:
    """`retrieve` on a library with its filter bank loads no librosa, no plotting and nothing of the service."""
    sound = write_sound(tmp_path / "tone.wav", tone(2), 16000)
    found = ran(NOT_FOR_A_QUESTION, "retrieve", sound, "--target", "visual", "--library", library)
    assert found.returncode == 0, found.stderr
    assert "exact" in found.stdout


def test_the_service_loads_no_statistics() -> None:
    """Only the process that draws a map needs scikit-learn, only figures SciPy's statistics: both are slow to load."""
    code = "import sys, app.server; sys.exit(' '.join({'sklearn', 'scipy.stats', 'pandas'} & set(sys.modules)) or 0)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_deleting_loads_no_torch(own_library: Path) -> None:
    """The catalogue and the files are enough for `videos`."""
    found = ran("torch,librosa,fastapi", "videos", "list", "--library", own_library)
    assert found.returncode == 0, found.stderr
    video_id = found.stdout.split("\n")[1].split()[0]
    found = ran("torch,librosa,fastapi", "videos", "delete", video_id, "--yes", "--library", own_library)
    assert found.returncode == 0, found.stderr


def test_the_watch_notices_an_import() -> None:
    """`openapi` loads FastAPI and is caught: the tests above can fail."""
    found = ran("fastapi", "openapi")
    assert found.returncode == 1
    assert "fastapi" in found.stderr
