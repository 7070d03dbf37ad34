"""FLV files that were joined end to end are shown as one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from model.media import flv

HEAD = flv.MAGIC + b"\5" + flv.HEAD_END


@pytest.mark.parametrize("first", [40, flv.BLOCK_BYTES - 12, flv.BLOCK_BYTES, flv.BLOCK_BYTES + 1])
def test_all_but_the_inner_heads_is_read(first: int, tmp_path: Path) -> None:
    """Wherever a head lies, also across two blocks, and from wherever one reads."""
    parts = [random.Random(seed).randbytes(size) for seed, size in enumerate((first - len(HEAD), 100, 2 * 2**20))]
    path = tmp_path / "v.flv"
    path.write_bytes(b"".join(HEAD + part for part in parts))
    shown = HEAD + b"".join(parts)
    with flv.opened(path) as joined:
        assert isinstance(joined, flv.Joined)
        assert (joined.seek(0, 2), joined.seek(0)) == (len(shown), 0)
        assert b"".join(iter(lambda: joined.read(30_000), b"")) == shown
        for at in (0, first - 1, first, first + 5, first + 99, first + 100, len(shown) - 1, len(shown) + 7):
            joined.seek(at)
            assert shown[at:].startswith(joined.read(50)[:1])
            assert joined.seek(-1, 1) == joined.tell()


def test_an_ordinary_file_is_opened_by_its_path(tmp_path: Path) -> None:
    """One head, or four letters that only look like one, is no reason to go another way."""
    path = tmp_path / "v.flv"
    path.write_bytes(HEAD + bytes(100) + flv.MAGIC + bytes(100))
    with flv.opened(path) as file:
        assert file == f"file:{path}"
