"""A service that cannot start says why."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.server import create_app
from app.settings import Settings
from model.errors import LibraryError


def test_a_start_that_fails_is_explained_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The cause is a line of its own: uvicorn's report is a traceback, of which the log keeps the beginning."""
    (tmp_path / "holiday.txt").write_text("no library")
    with (
        caplog.at_level(logging.ERROR, "echolens"),
        pytest.raises(LibraryError),
        TestClient(create_app(Settings(data=tmp_path))),
    ):
        pass
    (said,) = [r.getMessage() for r in caplog.records if r.name == "echolens" and r.levelno == logging.ERROR]
    assert said.startswith("the service does not start: ")
    assert "holiday.txt" in said
    assert "\n" not in said
