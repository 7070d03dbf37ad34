"""Is every answer whole while the library changes? Readers ask over HTTP, one writer ingests, labels and deletes.

    python -m benchmarks.robustness.readers [--seconds 60] [--readers 8] [--seed 0] [--json OUT]

An answer names the catalogue version that it is of. The writer, the only one, reads the catalogue after each of its
changes; afterwards every answer is compared with a search of all items as that version had them: segments, distances,
videos, labels. Exit 1 if a question met an error or an answer is torn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch

from app.library.session import Session
from app.media.decoding import decode_query
from app.queries.encoding import Encoding, encode_many
from benchmarks.report import json_parser, tell
from benchmarks.robustness.history import Answer, History, Question
from benchmarks.service.live_service import Client, Service, meanwhile
from benchmarks.service.short_clips import make_clips
from index.catalogue import Catalogue
from model.data.latents import Latents
from model.media.medium import Limits
from model.modality import MODALITIES

CPU = torch.device("cpu")
LABELS = ("bell", "drum", "rain")
KS = (1, 5, 20, 200)
JOB_S = 60.0
SHOWN = 10  # problems in a report


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="echolens-readers-") as directory:
        report = run(Path(directory), arguments.seconds, arguments.readers, arguments.seed)
    tell(report, arguments.json)
    sys.exit(report["errors"] > 0 or report["torn"] > 0)


def run(
    directory: Path, seconds: float, readers: int, seed: int, staying: int = 40, coming: int = 10
) -> dict[str, Any]:
    """Serve a library in an empty directory to `readers` threads and one writer, and judge every answer.

    `staying`: files that stay. `coming`: files that come and go.
    """
    torch.set_num_threads(1)  # as the service does, so that queries are encoded to the same bits
    files = make_clips(directory / "clips", staying + coming, 1000 * seed)
    with Service(directory / "library") as service, service.client() as client, ExitStack() as stack:
        for job in [client.upload(file) for file in files[:staying]]:
            client.wait_for(job, JOB_S)
        session = stack.enter_context(Session.open(directory / "library", CPU, create=False))
        clients = [stack.enter_context(service.client()) for _ in range(readers)]
        queries, weights = make_queries(session, files[:staying]), session.encoder.checkpoint.weights
        writer = Writer(client, session.library.catalogue, files[staying:], np.random.default_rng(seed))
        answers, errors = ask_meanwhile(clients, writer, queries, seconds, seed)
    torn = list(writer.history.torn_among(answers, [query.latents for query in queries], weights))
    spent_ms = [answer.spent_ms for answer in answers] or [0.0]
    return {
        "seconds": seconds,
        "readers": readers,
        "seed": seed,
        "answers": len(answers),
        "paths": dict(Counter(answer.path for answer in answers)),
        "writes": dict(sorted(writer.writes.items())),
        "versions_written": len(writer.history.versions),
        "versions_seen": len({answer.version for answer in answers}),
        "p50_ms": float(np.percentile(spent_ms, 50)),
        "p99_ms": float(np.percentile(spent_ms, 99)),
        "errors": len(errors) + len(writer.errors),
        "torn": len(torn),
        "problems": [*writer.errors, *errors[:SHOWN], *torn[:SHOWN]],
    }


# Questions and their answers


@dataclass(frozen=True, eq=False)
class Query:
    """Hold what is asked by, as fields of a request, and its latents."""

    fields: dict[str, Any]
    latents: Latents


def make_queries(session: Session, files: list[Path]) -> list[Query]:
    """Return queries by files (each sound, each picture) and by seconds of the videos that stay."""
    queries = []
    for file in files:
        if file.suffix != ".mp4":
            track = decode_query(session.front_end, file, Limits(), None, None).query
            (latents,) = encode_many([Encoding(session.encoder, track, as_one=True)])
            queries.append(Query({"file": file}, latents))
    for modality in MODALITIES:
        table = session.library.catalogue.latents(modality)
        for row in range(0, len(table.ids), 3):
            fields = {"segment_id": int(table.ids[row]), "query_modality": modality}
            queries.append(Query(fields, table.latents[[row]]))
    return queries


def ask(client: Client, query: Query, question: Question) -> Answer:
    """POST a question to /retrieve. Raises Problem."""
    started = time.perf_counter()
    found = client.retrieve(**query.fields, **question.fields)
    spent_ms = 1000 * (time.perf_counter() - started)
    hits = tuple((hit.segment_id, hit.distance, hit.video_id, hit.label) for hit in found.hits)
    search = found.search
    return Answer(question, search.catalogue_version, search.gallery_size, search.path, hits, spent_ms)


# Readers and the writer


def ask_meanwhile(
    clients: list[Client], writer: Writer, queries: list[Query], seconds: float, seed: int
) -> tuple[list[Answer], list[str]]:
    """Let a reader with each client ask for some seconds while the writer writes; return the answers and the errors."""
    answers: list[Answer] = []
    errors: list[str] = []
    rngs = np.random.default_rng([seed, 1]).spawn(len(clients))
    readers = [partial(_read, client, queries, rng, answers, errors) for client, rng in zip(clients, rngs, strict=True)]
    with meanwhile(Event(), writer.write, *readers):
        time.sleep(seconds)
    return answers, errors


def _read(
    client: Client,
    queries: list[Query],
    rng: np.random.Generator,
    answers: list[Answer],
    errors: list[str],
    stop: Event,
) -> None:
    while not stop.is_set():
        question = Question(
            query=int(rng.integers(len(queries))),
            target=MODALITIES[rng.integers(len(MODALITIES))],
            k=int(rng.choice(KS)),
            label=str(rng.choice(LABELS)) if rng.random() < 0.25 else None,
            by_video=bool(rng.random() < 0.25),
        )
        try:
            answers.append(ask(client, queries[question.query], question))
        except Exception as error:
            errors.append(f"{question}: {error!r}")


@dataclass
class Writer:
    """Change a library over HTTP, one change after the other, and note what each version of its catalogue holds."""

    client: Client
    catalogue: Catalogue
    files: list[Path]
    rng: np.random.Generator
    history: History = field(default_factory=History)
    writes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def write(self, stop: Event) -> None:
        """Ingest, label and delete until `stop`; an error ends it."""
        try:
            self.history.note(self.catalogue)
            while not stop.is_set():
                self._change()
                self.history.note(self.catalogue)
        except Exception as error:
            self.errors.append(f"the writer: {error!r}")

    def _change(self) -> None:
        ids = {video.file_name: video.video_id for video in self.catalogue.every_video()}
        file = self.files[self.rng.integers(len(self.files))]
        if self.rng.random() < 0.4:
            name = str(self.rng.choice(sorted(ids)))
            self.client.annotate(ids[name], str(self.rng.choice(LABELS)))
            self.writes["label"] += 1
        elif file.name in ids:
            self.client.delete(ids[file.name])
            self.writes["delete"] += 1
        else:
            job = self.client.wait_for(self.client.upload(file), JOB_S)
            if job.state != "done":
                raise RuntimeError(f"the ingest of {file.name} failed: {job}")
            self.writes["ingest"] += 1


if __name__ == "__main__":
    main()
