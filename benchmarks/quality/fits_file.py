"""A file of fits, written anew after each: a command that is run again goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from model.errors import TrainingError

Key = TypeVar("Key", str, int)


def read_fits(path: Path, facts: dict[str, Any], key: type[Key]) -> dict[Key, dict[Key, Any]]:
    """Return the fits that a file holds, by what was fitted and by seed; none if it is not there yet.

    Raises:
        TrainingError: it is no such file, or its figures are of other facts.
    """
    if not path.exists():
        return {}
    try:
        saved = json.loads(path.read_text())
        same = all(saved[name] == json.loads(json.dumps(value)) for name, value in facts.items())
        fits = {key(of): {key(seed): one for seed, one in made.items()} for of, made in saved["fits"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} holds no fits ({error}); name another file, or remove it") from error
    if not same:
        raise TrainingError(f"{path} holds fits with other {', '.join(facts)}; name another file, or remove it")
    return fits


def write_fits(path: Path, report: dict[str, Any]) -> None:
    """Write a report with its facts and `fits`, in one step."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(report, allow_nan=False) + "\n")
    os.replace(partial, path)
