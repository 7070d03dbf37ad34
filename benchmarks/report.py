"""What benchmarks that report in JSON share: the command line and the report."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any


def json_parser(about: str | None) -> ArgumentParser:
    """Return a parser that describes a benchmark by its docstring and takes --json FILE."""
    parser = ArgumentParser(description=about, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    return parser


def tell(report: Any, path: Path | None) -> None:
    """Print a report, and write it to a file where one is named."""
    print(json.dumps(report, indent=1))
    write(report, path)


def write(report: Any, path: Path | None) -> None:
    """Write a report to a file where one is named."""
    if path:
        path.write_text(json.dumps(report, indent=1))
