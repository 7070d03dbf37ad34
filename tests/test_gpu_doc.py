"""docs/gpu.md: its commands can be run, and what it promises is what the tests hold."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from service_samples import Command

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "gpu.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`(python -m benchmarks[^`]*)`", PAGE)
COMMANDS = [
    part.partition("#")[0].strip() for block in SHELL for line in block.splitlines() for part in line.split("&&")
]


def starting_with(*words: str) -> list[str]:
    """Return the page's commands that begin so, each once."""
    return list(dict.fromkeys(c for c in (*COMMANDS, *INLINE) if c.split()[: len(words)] == list(words)))


class Parsed(Exception):
    """Raised in place of the work, once a command line has been understood."""


@pytest.mark.parametrize("command", starting_with("python", "-m"))
def test_benchmarks_and_pytest_take_their_options(
    command: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is misspelt here would be found out only where a card is."""
    _, _, module, *arguments = shlex.split(command)
    if module == "pytest":
        paths = request.config._parser.parse_known_and_unknown_args(arguments)  # type: ignore[attr-defined]
        assert paths[1] == []
        assert all((ROOT / path).exists() for path in paths[0].file_or_dir)
        return
    parse = argparse.ArgumentParser.parse_args

    def parse_alone(parser: argparse.ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_alone)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    is_package = find_spec(module).submodule_search_locations is not None  # type: ignore[union-attr]
    with pytest.raises(Parsed):
        import_module(f"{module}.__main__" if is_package else module).main()


@pytest.mark.parametrize("command", starting_with("echolens"))
def test_commands_of_the_command_line_take_their_options(command: str, echolens: Command) -> None:
    """An option that is none ends with 2, before --help is read."""
    ran = echolens(*shlex.split(command)[1:], "--help")
    assert ran.code == 0, ran.err


def test_every_check_has_commands() -> None:
    """The first eight checks are there, each with what to run."""
    checks = re.findall(r"^\*\*(\d)\. .*?(?=^\*\*\d|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert checks == list("12345678")
    assert len(starting_with("python", "-m", "pytest")) == 3
    assert len(starting_with("python", "-m", "benchmarks.search.copy_bound")) == 2
    assert len(starting_with("echolens", "train")) == 2
