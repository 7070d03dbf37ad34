"""Is every answer whole while the library changes? Readers ask over HTTP, one writer ingests, labels and deletes.

    python -m benchmarks.readers [--seconds 60] [--readers 8] [--seed 0] [--json OUT]

An answer names the catalogue version that it is of. The writer, the only one, reads the catalogue after each of its
changes; afterwards every answer is compared with a search of all items as that version had them: segments, distances,
videos, labels. Exit 1 if a question met an error or an answer is torn.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import torch

from app.line.timings import Timings
from app.retrieval import Question as Asking
from app.retrieval import read_query
from app.session import Session
from benchmarks.live_service import GONE, Client, Refused, Service
from benchmarks.short_clips import make_clips
from index.brute_force import BruteForceGallery
from index.catalogue import Catalogue, LatentTable
from model.distance import ScoreWeights
from model.latents import Latents
from model.media import Limits
from model.msvae import MODALITIES, Modality

CPU = torch.device("cpu")
ROUNDING = 1e-5  # of a latent that was encoded alone, against one of a batch
LABELS = ("bell", "drum", "rain")
KS = (1, 5, 20, 200)
JOB_S = 60.0
SHOWN = 10  # problems in a report
Item = tuple[int, float, str, str | None]  # segment id, distance, video id, label


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="echolens-readers-") as directory:
        report = run(Path(directory), arguments.seconds, arguments.readers, arguments.seed)
    print(json.dumps(report, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))
    sys.exit(report["errors"] > 0 or report["torn"] > 0)


def run(
    directory: Path, seconds: float, readers: int, seed: int, staying: int = 40, coming: int = 10
) -> dict[str, Any]:
    """Serve a library in an empty directory to `readers` threads and one writer, and judge every answer.

    `staying`: files that stay. `coming`: files that come and go.
    """
    torch.set_num_threads(1)  # as the service does, so that queries are encoded to the same bits
    files = make_clips(directory / "clips", staying + coming, 1000 * seed)
    service = Service(directory / "library")
    try:
        with service.client() as client, ExitStack() as stack:
            client.wait(JOB_S, *[client.upload(file) for file in files[:staying]])
            session = stack.enter_context(Session.open(directory / "library", CPU, create=False))
            clients = [stack.enter_context(service.client()) for _ in range(readers)]
            queries, weights = make_queries(session, files[:staying]), session.encoder.checkpoint.weights
            writer = Writer(client, session.library.catalogue, files[staying:], np.random.default_rng(seed))
            answers, errors = ask_meanwhile(clients, writer, queries, seconds, seed)
    finally:
        service.stop()
    torn = list(judge(answers, writer, queries, weights))
    spent_ms = [answer.spent_ms for answer in answers] or [0.0]
    return {
        "seconds": seconds,
        "readers": readers,
        "seed": seed,
        "answers": len(answers),
        "paths": dict(Counter(answer.path for answer in answers)),
        "writes": dict(sorted(writer.writes.items())),
        "versions_written": len(writer.states),
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
    """Hold what is asked by, as the form of a request, and its latents."""

    fields: dict[str, Any]
    file: tuple[str, bytes] | None
    latents: Latents


@dataclass(frozen=True)
class Question:
    """Ask with the query of a number; `label` filters, `by_video` groups."""

    query: int
    target: Modality
    k: int
    label: str | None
    by_video: bool

    @property
    def fields(self) -> dict[str, Any]:
        """Return it as fields of a form, without the query."""
        fields = {"target": self.target, "k": self.k, "group_by": "video" if self.by_video else "segment"}
        return fields | ({} if self.label is None else {"label": self.label})


@dataclass(frozen=True)
class Answer:
    """Hold what was answered, of which version, and how long it took."""

    question: Question
    version: int
    gallery_size: int
    path: str
    hits: tuple[Item, ...]
    spent_ms: float


def make_queries(session: Session, files: list[Path]) -> list[Query]:
    """Return queries by files (each sound, each picture) and by seconds of the videos that stay."""
    queries = []
    for file in files:
        if file.suffix != ".mp4":
            question = Asking("audio", file)
            latents = read_query(session, session.encoder, question, Limits(), Timings()).latents
            queries.append(Query({}, (file.name, file.read_bytes()), latents))
    for modality in MODALITIES:
        table = session.library.catalogue.latents(modality)
        for row in range(0, len(table.ids), 3):
            fields = {"segment_id": int(table.ids[row]), "query_modality": modality}
            queries.append(Query(fields, None, table.latents[[row]]))
    return queries


def ask(client: Client, query: Query, question: Question) -> Answer:
    """POST a question to /retrieve. Raises Refused, GONE."""
    started = time.perf_counter()
    body = client.send("/retrieve", query.fields | question.fields, query.file)
    spent_ms = 1000 * (time.perf_counter() - started)
    hits = tuple((hit["segment_id"], hit["distance"], hit["video_id"], hit["label"]) for hit in body["hits"])
    search = body["search"]
    return Answer(question, search["catalogue_version"], search["gallery_size"], search["path"], hits, spent_ms)


# Readers and the writer


def ask_meanwhile(
    clients: list[Client], writer: Writer, queries: list[Query], seconds: float, seed: int
) -> tuple[list[Answer], list[str]]:
    """Let a reader with each client ask for some seconds while the writer writes; return the answers and the errors."""
    answers: list[Answer] = []
    errors: list[str] = []
    stop = Event()
    rngs = np.random.default_rng([seed, 1]).spawn(len(clients))
    threads = [
        Thread(target=_read, args=(client, queries, rng, stop, answers, errors))
        for client, rng in zip(clients, rngs, strict=True)
    ]
    threads.append(Thread(target=writer.write, args=(stop,)))
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return answers, errors


def _read(
    client: Client,
    queries: list[Query],
    rng: np.random.Generator,
    stop: Event,
    answers: list[Answer],
    errors: list[str],
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
        except (Refused, *GONE) as error:
            errors.append(f"{question}: {error!r}")


@dataclass(frozen=True, eq=False)
class State:
    """Hold what one version of the catalogue has of one modality: ids ascending, each with its video and label."""

    ids: np.ndarray
    videos: np.ndarray
    labels: np.ndarray


@dataclass
class Writer:
    """Change a library over HTTP, one change after the other, and log what each version of its catalogue holds.

    `states` is by version and modality. `latents` by modality and segment id: they never change here, which is checked.
    """

    client: Client
    catalogue: Catalogue
    files: list[Path]
    rng: np.random.Generator
    states: dict[int, dict[Modality, State]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    latents: dict[tuple[Modality, int], Latents] = field(default_factory=dict)

    def write(self, stop: Event) -> None:
        """Ingest, label and delete until `stop`; an error ends it."""
        try:
            self.log()
            while not stop.is_set():
                self._change()
                self.log()
        except (RuntimeError, *GONE) as error:
            self.errors.append(f"the writer: {error!r}")

    def log(self) -> None:
        """Note what the catalogue holds now."""
        tables = {modality: self.catalogue.latents(modality) for modality in MODALITIES}
        (version,) = {table.catalogue_version for table in tables.values()}  # nobody else writes
        self.states[version] = {m: State(t.ids, t.video_ids, t.labels) for m, t in tables.items()}
        for modality, table in tables.items():
            self._keep(modality, table)

    def _keep(self, modality: Modality, table: LatentTable) -> None:
        for row, segment_id in enumerate(table.ids.tolist()):
            here = table.latents[[row]]
            kept = self.latents.setdefault((modality, segment_id), here)
            if not all(np.array_equal(getattr(kept, name), value) for name, value in vars(here).items()):
                raise RuntimeError(f"the {modality} latents of segment {segment_id} have changed")

    def _change(self) -> None:
        ids = {video.file_name: video.video_id for video in self.catalogue.every_video()}
        file = self.files[self.rng.integers(len(self.files))]
        if self.rng.random() < 0.4:
            name = str(self.rng.choice(sorted(ids)))
            self.client.label(ids[name], str(self.rng.choice(LABELS)))
            self.writes["label"] += 1
        elif file.name in ids:
            self.client.ask("DELETE", f"/videos/{ids[file.name]}")
            self.writes["delete"] += 1
        else:
            job_id = self.client.upload(file)
            (job,) = [job for job in self.client.wait(JOB_S, job_id) if job["job_id"] == job_id]
            if job["state"] != "done":
                raise RuntimeError(f"the ingest of {file.name} failed: {job}")
            self.writes["ingest"] += 1


# Which answers are torn


def judge(answers: list[Answer], writer: Writer, queries: list[Query], weights: ScoreWeights) -> Iterator[str]:
    """Yield the answers that are not what a search of everything finds in the version that they name."""
    galleries: dict[tuple[int, Modality], BruteForceGallery] = {}
    for answer in sorted(answers, key=lambda answer: answer.version):
        key = answer.version, answer.question.target
        if answer.version not in writer.states:
            yield f"{answer.question}: version {answer.version} is none that was written"
            continue
        if key not in galleries:
            galleries = {key: gallery_of(writer, *key, weights)} | {
                k: g for k, g in galleries.items() if k[0] == key[0]
            }
        gallery, state = galleries[key], writer.states[answer.version][answer.question.target]
        ranked = ranking(gallery, state, answer.question, queries[answer.question.query].latents)
        expected = expected_hits(ranked, answer.question)
        if answer.gallery_size != len(gallery) or not are_right(answer, expected, ranked):
            odd = [(there, due) for there, due in zip(answer.hits, expected, strict=False) if there != due]
            yield (
                f"{answer.question}: version {answer.version}, {len(answer.hits)} hits of {answer.gallery_size} given, "
                f"{len(expected)} of {len(gallery)} expected; (given, expected) differ in {odd[:2]}"
            )


def are_right(answer: Answer, expected: Sequence[Item], ranked: Sequence[Item]) -> bool:
    """Say whether an answer is the expected one but for what encoding in another batch rounds.

    Items that are as near as that may change places: each hit is an item as it is, once, at its place's distance.
    """
    items = {item[0]: item for item in ranked}
    once = {hit[2] if answer.question.by_video else hit[0] for hit in answer.hits}
    return (
        len(answer.hits) == len(expected) == len(once)
        and all(hit[0] in items and is_alike(hit, items[hit[0]]) for hit in answer.hits)
        and all(is_near(hit[1], due[1]) for hit, due in zip(answer.hits, expected, strict=True))
    )


def is_alike(given: Item, expected: Item) -> bool:
    """Say whether two hits are the same but for rounding."""
    return (given[0], *given[2:]) == (expected[0], *expected[2:]) and is_near(given[1], expected[1])


def is_near(given: float, expected: float) -> bool:
    """Say whether two distances are the same but for rounding."""
    return math.isclose(given, expected, rel_tol=ROUNDING, abs_tol=ROUNDING)


def gallery_of(writer: Writer, version: int, modality: Modality, weights: ScoreWeights) -> BruteForceGallery:
    """Return a gallery of what a version holds; Writer.log has noted it."""
    ids = writer.states[version][modality].ids
    rows = [writer.latents[modality, segment_id] for segment_id in ids.tolist()]
    return BruteForceGallery(ids, Latents.concatenate(rows), weights)


def ranking(gallery: BruteForceGallery, state: State, question: Question, query: Latents) -> list[Item]:
    """Return all that a question allows, nearest first."""
    allowed = None if question.label is None else state.labels == question.label
    if allowed is not None and not allowed.any():
        return []
    found = gallery.search(query, len(gallery), allowed)
    rows = np.searchsorted(state.ids, found.ids)
    return [
        (int(found.ids[i]), float(found.distance[i]), str(state.videos[row]), str(state.labels[row]) or None)
        for i, row in enumerate(rows)
    ]


def expected_hits(ranked: Sequence[Item], question: Question) -> list[Item]:
    """Return the answer to a question: the first k, of each video the first where it asks for videos."""
    if question.by_video:
        first: dict[str, Item] = {}
        for item in ranked:
            first.setdefault(item[2], item)
        ranked = list(first.values())
    return list(ranked[: question.k])


if __name__ == "__main__":
    main()
