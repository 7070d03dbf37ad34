"""`echolens mcp` refuses what it cannot start with."""

from __future__ import annotations

from pathlib import Path

import pytest
from service_samples import Command

from app.commands import mcp
from app.commands.terminal import OTHER, USAGE


def test_without_its_package_the_command_says_how_to_install_it(
    echolens: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is an extra; nothing but this command needs it."""
    monkeypatch.setattr(mcp, "find_spec", lambda name: None)
    ran = echolens("mcp")
    assert ran.code == OTHER
    assert "pip install 'echolens[mcp]'" in ran.err
    assert ran.out == "", "standard output belongs to the protocol"


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://here", "http://", "http://[", "http://here:port", "http://here:0"]
)
def test_what_is_no_address_is_refused_at_once(echolens: Command, url: str) -> None:
    """Not at the first question of an assistant."""
    ran = echolens("mcp", "--url", url)
    assert ran.code == USAGE
    assert "http://127.0.0.1:8000" in ran.err


def test_a_directory_of_files_must_be_there(echolens: Command, tmp_path: Path) -> None:
    """A mistyped one would allow nothing, or what somebody makes there later."""
    assert echolens("mcp", "--files", tmp_path / "absent").code == USAGE


@pytest.mark.parametrize("url", ["http://anna:hush@127.0.0.1:8000", "http://hush@here", "http://anna:hush/9@here"])
def test_a_password_in_the_address_is_refused_and_not_repeated(echolens: Command, url: str) -> None:
    """The assistant is told the address, so its provider would read the password."""
    ran = echolens("mcp", "--url", url)
    assert ran.code == USAGE
    assert "ECHOLENS_API_KEY" in ran.err
    assert "hush" not in ran.err + ran.out
