"""Does the service keep what its OpenAPI description promises? Schemathesis asks every route, all checks, twice.

    python -m benchmarks.robustness.contract [--st PATH] [--max-examples 50] [--max-time SECONDS]
        [--seed 0] [--json OUT]

Once without a key and once with one. `st` is Schemathesis' command line (pip install schemathesis, in an environment
of its own: it pins what the service does not). Its findings are printed as it prints them. Exit 1 if there is any.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from app.library.ingest import Source, ingest
from app.library.session import Session
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import Service, end_tidily
from benchmarks.service.short_clips import make_clips
from model.data.corpus import Annotation
from model.media.medium import FOOTAGE

KEY = "a-key-for-this-run-alone-0123456789"
CLIPS = 5
LATEST_S = 60  # for an answer, beyond the time a run may decode
# What the schema cannot say: bytes may be no medium (415), too many (413) or not what was asked for (422), and fields
# may contradict each other (422); a library may have nothing to answer with (409), which is the usual expectation.
# DELETE of a job cancels it: the job stays, to be read.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "413", "415", "422", "429"]

[[operations]]
include-path = "/jobs/{job_id}"
checks.use_after_free.enabled = false
"""
CPU = torch.device("cpu")


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--st", default="st", help="path of the command")
    parser.add_argument("--max-examples", type=int, default=50, help="for each operation")
    parser.add_argument("--max-time", type=int, help="seconds for each of the two runs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    end_tidily()
    with tempfile.TemporaryDirectory(prefix="echolens-contract-") as directory:
        runs = {name: run(Path(directory) / name, key, arguments) for name, key in (("open", None), ("key", KEY))}
    for name, found in runs.items():
        print(f"==== {name} ====\n{found.pop('output')}")
    tell(runs, arguments.json)
    sys.exit(any(found["exit_code"] or found["server_errors"] for found in runs.values()))


def run(directory: Path, key: str | None, arguments: argparse.Namespace) -> dict[str, Any]:
    """Serve a library made in `directory`, let Schemathesis ask, and return how it ended."""
    directory.mkdir()
    (directory / "schemathesis.toml").write_text(CONFIG)
    make_library(directory)
    with Service(directory / "library", {"api_key": key} if key else None) as service:
        done = subprocess.run(
            command(service.port, key, arguments), cwd=directory, capture_output=True, text=True, check=False
        )
        return {
            "exit_code": done.returncode,
            "output": done.stdout + done.stderr,
            "summary": summary(done.stdout),
            "server_errors": len(re.findall(r"Server error", done.stdout)),
            "still_running": service.is_running(),
        }


def command(port: int, key: str | None, arguments: argparse.Namespace) -> list[str]:
    """Return the command that asks the service at a port."""
    given = [arguments.st, "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", "all"]
    given += ["--max-examples", str(arguments.max_examples), "--seed", str(arguments.seed), "--no-color"]
    given += ["--continue-on-failure", "--request-timeout", str(LATEST_S), "--suppress-health-check", "all"]
    given += ["--generation-database", "none", "--rate-limit", "auto"]
    given += ["--max-time", str(arguments.max_time)] if arguments.max_time else []
    return given + (["--header", f"Authorization: Bearer {key}"] if key else [])


def make_library(directory: Path) -> None:
    """Ingest a few clips, labelled, so that most questions have an answer."""
    files = make_clips(directory / "clips", CLIPS, 8_000_000)
    with Session.open(directory / "library", CPU, "raw") as session:
        ingest(session, [Source(f, f.name, Annotation("", f"label {i % 2}")) for i, f in enumerate(files)], FOOTAGE)


def summary(output: str) -> list[str]:
    """Return the lines of the summary at the end."""
    _, _, end = output.rpartition("= SUMMARY =")
    return [line.strip() for line in end.splitlines() if line.strip(" =")]


if __name__ == "__main__":
    main()
