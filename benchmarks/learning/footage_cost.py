"""What footage costs: seconds of one core for each second of it, by stage of ingest, and for an epoch of training.

    python -m benchmarks.learning.footage_cost --clips DIR --weights DIR [--frontend pretrained] [--json OUT]

Time is that of the process on a core (CPU time), with one thread, so that other work on the machine hardly counts. The
clips are ingested twice, the first time to warm up. `commit` is what the writing thread of an ingest takes: encoding,
the catalogue, features on the disk. The other stages are measured alone. Training: an epoch of the default recipe on
the features of the clips, repeated up to 1,000 videos, with and without the grouping that its teacher begins some with.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library.features import corpus_of
from app.library.ingest import Source, ingest
from app.library.listing import list_files
from app.library.session import Session
from app.media.footage import CHUNK_S
from app.media.previews import write_preview
from benchmarks.report import json_parser, tell
from model.data.corpus import Corpus
from model.errors import MediaError
from model.frontends.frontend import FrontEnd
from model.media.medium import FOOTAGE, hash_file, open_medium
from model.training.batches import Batches
from model.training.recipe import DEFAULT
from model.training.run import Run

CPU = torch.device("cpu")
VIDEOS = 1000
STAGES = ("hash", "decode", "previews", "features")


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="directory with the front-end's weights")
    parser.add_argument("--frontend", default="pretrained")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files = [found.path for found in list_files([arguments.clips]).files]
    with tempfile.TemporaryDirectory(prefix="echolens-cost-") as directory:
        report = measure(Path(directory), files, arguments.weights, arguments.frontend)
    tell({"frontend": arguments.frontend, "threads": 1} | report, arguments.json)


def measure(directory: Path, files: list[Path], weights: Path, front_end: str) -> dict[str, Any]:
    """Ingest files, then train on them, in an empty directory."""
    for turn in ("warm-up", "library"):
        shutil.copytree(weights, directory / turn / "frontends")
        with Session.open(directory / turn, CPU, front_end) as session:
            began_s, began_writing_s = time.process_time(), time.thread_time()
            outcomes = ingest(session, [Source(file, file.name) for file in files], FOOTAGE, decoders=1)
            ingest_s, commit_s = time.process_time() - began_s, time.thread_time() - began_writing_s
            corpus = corpus_of(session)
            footage_s = session.library.catalogue.stats().duration_s
            added = [outcome.path for outcome in outcomes if outcome.state == "added"]
            spent_s = _by_stage(session.front_end, added, directory / f"{turn}-previews")
    spent_s["commit"] = commit_s
    return {
        "files": len(added),
        "footage_s": footage_s,
        "core_s_per_footage_s": {stage: round(each / footage_s, 5) for stage, each in spent_s.items()},
        "footage_s_per_core_s": round(footage_s / ingest_s, 1),
        "training": _train(_repeated(corpus, VIDEOS)),
    }


def _by_stage(front_end: FrontEnd, files: list[Path], previews: Path) -> dict[str, float]:
    """Return how long each stage alone takes on all files; what was decoded is held for a chunk at a time."""
    spent_s = dict.fromkeys(STAGES, 0.0)
    for number, file in enumerate(files):
        began_s = time.process_time()
        hash_file(file)
        spent_s["hash"] += time.process_time() - began_s
        into = previews / str(number)
        into.mkdir(parents=True)
        try:
            segments = open_medium(file, FOOTAGE).segments(0)
            while True:
                began_s = time.process_time()
                chunk = list(islice(segments, CHUNK_S))
                decoded_s = time.process_time()
                for segment in chunk:
                    write_preview(into, segment)
                written_s = time.process_time()
                front_end.features(chunk)
                spent_s["decode"] += decoded_s - began_s
                spent_s["previews"] += written_s - decoded_s
                spent_s["features"] += time.process_time() - written_s
                if not chunk:
                    break
        except MediaError:  # such as one that is damaged towards its end; it is judged by the ingest
            continue
    return spent_s


def _repeated(corpus: Corpus, videos: int) -> Corpus:
    """Return a corpus of so many videos, by repeating it."""
    times = -(-videos // len(corpus))
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(corpus, name)] * times)
        for name in ("audio", "visual", "heard", "seen", "event", "start_s", "label")
    }
    video = np.concatenate([corpus.video + turn * len(corpus) for turn in range(times)])
    ids = tuple(f"{turn}-{video_id}" for turn in range(times) for video_id in corpus.video_ids)
    whole = replace(corpus, **arrays, video=video, video_ids=ids)
    return whole.of_videos(np.arange(videos))


def _train(corpus: Corpus) -> dict[str, Any]:
    run = Run(corpus, None, DEFAULT, ("footage", "cost"), 0, CPU)
    batches, epochs_s = Batches(corpus, run.pairs, CPU), list[float]()
    for number in range(4):
        began_s = time.process_time()
        run.learn(number, run.most_epochs, batches)
        epochs_s.append(time.process_time() - began_s)
    return {
        "videos": len(corpus),
        "pairs": len(run.pairs),
        "epoch_core_s": round(float(np.median(epochs_s[1:])), 2),
        "epoch_with_grouping_core_s": round(epochs_s[0], 2),
    }


if __name__ == "__main__":
    main()
