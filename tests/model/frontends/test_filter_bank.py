"""The filter bank of `raw` is librosa's to the bit, whether computed or read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from librosa.filters import mel

from model.frontends.filter_bank import filter_bank
from model.frontends.registry import make_front_end

PARAMETERS = (16_000, 1024, 64, 50.0)
ROOT = Path(__file__).parents[3]


def expected() -> np.ndarray:
    bank: np.ndarray = mel(sr=16_000, n_fft=1024, n_mels=64, fmin=50.0)
    return bank


def only_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_it_is_librosa_s_to_the_bit(tmp_path: Path) -> None:
    """Computed without a directory, computed and kept, and read."""
    for directory in (None, tmp_path, tmp_path):
        bank = filter_bank(directory, *PARAMETERS)
        assert (bank.dtype, bank.tobytes()) == (np.float32, expected().tobytes())
    assert only_file(tmp_path).name == "mel-slaney-16000-1024-64-50.npz"


def test_features_are_the_same_from_the_file(tmp_path: Path) -> None:
    """A front-end that computed its bank and one that read it give the same bits."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32)
    first, second = (make_front_end("raw", tmp_path).audio(sound).tobytes() for _ in range(2))
    assert first == second


def test_a_file_that_is_there_needs_no_librosa(tmp_path: Path) -> None:
    """In a fresh process the bank is read, librosa is not imported."""
    filter_bank(tmp_path, *PARAMETERS)
    code = (
        "import sys; from pathlib import Path; from model.frontends.registry import make_front_end\n"
        "make_front_end('raw', Path(sys.argv[1])); sys.exit('librosa' in sys.modules)"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    for directory, loaded in ((tmp_path, 0), (empty, 1)):
        ran = subprocess.run([sys.executable, "-c", code, str(directory)], cwd=ROOT, check=False)
        assert ran.returncode == loaded


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text", "shape", "key"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    """A flipped bit, a cut file or other content: the answer is librosa's, and so is the file afterwards."""
    filter_bank(tmp_path, *PARAMETERS)
    path = only_file(tmp_path)
    sound = path.read_bytes()
    if damage == "shape":
        np.savez(path, bank=np.zeros((2, 2), np.float32))
    elif damage == "key":
        np.savez(path, other=expected())
    else:
        flipped = bytearray(sound)
        flipped[len(sound) // 2] ^= 1
        path.write_bytes({"flip": bytes(flipped), "cut": sound[:1000], "empty": b"", "text": b"no zip"}[damage])
    assert path.read_bytes() != sound
    assert filter_bank(tmp_path, *PARAMETERS).tobytes() == expected().tobytes()
    with np.load(only_file(tmp_path)) as kept:
        assert kept["bank"].tobytes() == expected().tobytes()


def test_where_nothing_can_be_written_it_is_kept_in_memory(tmp_path: Path) -> None:
    """A directory that is absent, a file in its place, or one that may not be changed: no error, no trace."""
    (tmp_path / "file").write_text("x")
    for directory in (tmp_path / "absent", tmp_path / "file"):
        assert filter_bank(directory, *PARAMETERS).tobytes() == expected().tobytes()
    assert filter_bank(tmp_path, *PARAMETERS, keep=False).tobytes() == expected().tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
