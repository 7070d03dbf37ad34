"""A GPU that fails under a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from failing_gpu import OUT_OF_MEMORY, STICKY
from service_samples import Command

import app.queries.engine as engine


@pytest.mark.parametrize(("error", "code"), [(STICKY, "device:"), (OUT_OF_MEMORY, "device_memory:")])
def test_a_failure_of_the_gpu_is_told_in_words(
    library: Path, footage: list[Path], echolens: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    """The command ends with a message and a code of its own, without a traceback."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(engine, "encode_many", fail)
    ran = echolens("retrieve", footage[0], "--query-modality", "visual", "--target", "audio", "--library", library)
    assert ran.code == 6
    assert ran.err.startswith(code)
    assert str(error) in ran.err
