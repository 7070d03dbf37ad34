"""Every command's help shows examples that the command accepts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from service_samples import Command

from app.cli import command_line
from app.commands.examples import LINES

ROOT = typer.main.get_command(command_line())


def commands(group: typer.core.TyperGroup, *names: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name))


def test_every_command_has_examples(echolens: Command) -> None:
    """They are in its --help, each on a line of its own."""
    assert isinstance(ROOT, typer.core.TyperGroup)
    assert set(commands(ROOT)) == set(LINES) - {""}
    for command, lines in LINES.items():
        shown = [line.strip() for line in echolens(*command.split(), "--help").out.splitlines()]
        assert [line for line in lines if line in shown] == list(lines), command


@pytest.mark.parametrize("line", [line for lines in LINES.values() for line in lines])
def test_an_example_is_accepted(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command parses it where its files exist: no flag is mistyped, none is missing."""
    for name in ("labels.csv", "features.npz", "backup.tar"):
        (tmp_path / name).touch()
    for name in ("weights", "VGGSound", "AVE", "Videos"):
        (tmp_path / "~" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.partition(" #")[0].partition(" >")[0])[1:]
    group = ROOT
    while isinstance(group, typer.core.TyperGroup):
        group = group.commands[words.pop(0)]
    context = group.make_context("example", words)
    assert context.command is group
