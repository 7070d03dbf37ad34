"""How good are answers on real clips: own video, a kind's sound, match, sigma; chance and linear CCA beside them.

    python -m benchmarks.quality.real_clips --library DIR [--seeds 2] [--kinds DIR --labels CSV ...] [--json OUT]

With --seeds 0 kinds alone are measured.

The library holds the clips, ingested with a front-end that has a prior. Systems of the own video, of which no part was
made with a held-out clip (benchmarks/quality/own_video_folds.py):
- linear_cca: regularized linear CCA, one second; in_context: its projections averaged as the trained model's
- start: the starting model, its usual evidence, spread and match measured on the other folds; sharp: one second
- trained: trained on the other folds from that start, by the default recipe; sharp: one second

With --kinds, a folder per kind with recordings of it, each asks for pictures (benchmarks/quality/sounds_of_kinds.py).
--labels are CSVs with the columns file,label, of which the file's name counts; clips without a row keep the library's
label. Three models answer:
- start: as it ships
- start_of_others: its prior and match are measured on the clips that show none of the kinds
- trained: trained on all these clips, without labels, as a user's library
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library.features import corpus_of
from app.library.labels import read_labels
from app.library.session import Session
from app.media.decoding import decode_query
from benchmarks.learning.generic_footage import measure_prior
from benchmarks.quality import real_clips_table
from benchmarks.quality.own_video_folds import HeldOut, measure_held_out, same_video_groups, start_of
from benchmarks.quality.sounds_of_kinds import Recording, ask, chance_of, describe, shows
from benchmarks.report import write
from model.data.corpus import Corpus
from model.errors import MediaError
from model.frontends.prior import Prior
from model.judging.own_video import DIRECTIONS
from model.media.medium import Limits
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.training.plan import train
from model.training.recipe import DEFAULT
from model.training.starting_model import starting_model

CPU = torch.device("cpu")
PAIRED = (("trained", "linear_cca_in_context"), ("trained", "start"), ("start", "linear_cca_in_context"))


def main() -> None:
    """Run it."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--kinds", type=Path)
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="KIND", help="do not ask for these kinds")
    parser.add_argument("--labels", type=Path, nargs="*", default=[], metavar="CSV")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with Session.open(arguments.library, CPU, create=False) as session:
        prior = session.front_end.prior
        if prior is None:
            parser.error(f"the library's front-end {session.front_end.name} has no prior: give one of `pretrained`")
        front_end = (session.front_end.name, session.front_end.identity)
        corpus = corpus_of(session)
        labels = labels_of(session, corpus, arguments.labels)
        recordings = recordings_of(session, arguments.kinds, arguments.leave_out) if arguments.kinds else []
    paired = corpus.of_videos(np.unique(corpus.video[corpus.paired]))
    report: dict[str, Any] = {
        "videos": len(corpus),
        "paired_videos": len(paired),
        "distinct_videos": int(same_video_groups(paired).max()) + 1,
        "paired_seconds": int(paired.paired.sum()),
    }
    if recordings:
        report["kinds"] = measure_kinds(corpus, prior, front_end, recordings, labels)
    if arguments.seeds:
        report |= described(measure_held_out(paired, prior.concepts, front_end, arguments.seeds))
    print(real_clips_table.markdown(report))
    write(report, arguments.json)


def labels_of(session: Session, corpus: Corpus, tables: Sequence[Path]) -> list[str | None]:
    """Return the label of each video of the corpus, by the tables, else by the library."""
    by_name = {path.name: a.label for table in tables for path, a in read_labels(table).items() if a.label}
    videos = {video.video_id: video for video in session.library.catalogue.every_video()}
    return [by_name.get(videos[v].file_name) or videos[v].label for v in corpus.video_ids]


def recordings_of(session: Session, directory: Path, left_out: Sequence[str]) -> list[Recording]:
    """Decode the recordings in the folders of a directory, each of a kind; those without sound are named."""
    recordings = []
    for file in sorted(directory.glob("*/*")):
        kind = file.parent.name
        if kind in left_out or not file.is_file():
            continue
        try:
            track = decode_query(session.front_end, file, Limits(), None, "audio").query
        except MediaError as error:
            print(f"{kind}/{file.name} is left out: {error}", file=sys.stderr)
            continue
        recordings.append(Recording(kind, track))
    return recordings


def measure_kinds(
    corpus: Corpus,
    prior: Prior,
    front_end: tuple[str, str],
    recordings: Sequence[Recording],
    labels: Sequence[str | None],
) -> dict[str, Any]:
    """Return the figures of each model, and those of chance."""
    kinds = sorted({r.kind for r in recordings})
    showing = {k: frozenset(v for v, label in enumerate(labels) if shows(k, label)) for k in kinds}
    showing = {k: videos for k, videos in showing.items() if videos}
    if not showing:
        raise SystemExit(f"no clip has a label that names one of {', '.join(kinds)}: give --labels that do")
    seen = len(np.unique(corpus.video[corpus.seen]))
    present = [r.kind for r in recordings if r.kind in showing]
    models = models_for_kinds(corpus, prior, front_end, frozenset().union(*showing.values()))
    return {
        "videos": seen,
        "chance": {
            name: float(np.mean([chance_of(len(showing[k]), seen, among) for k in present]))
            for name, among in (("right_first", 1), ("right_among_three", 3))
        },
        "models": {name: describe(ask(model, corpus, recordings, CPU), showing) for name, model in models.items()},
    }


def models_for_kinds(
    corpus: Corpus, prior: Prior, front_end: tuple[str, str], showing: frozenset[int]
) -> dict[str, Checkpoint]:
    """Return the models that are asked; `showing`: the videos of any kind."""
    shapes: dict[Modality, int] = {"audio": corpus.audio.shape[1], "visual": corpus.visual.shape[1]}
    others = corpus.of_videos(np.array([v for v in range(len(corpus)) if v not in showing]))
    return {
        "start": starting_model(front_end, prior, shapes),
        "start_of_others": start_of(others, measure_prior(others, prior.concepts), front_end),
        "trained": train(corpus, DEFAULT, front_end, 0, CPU, prior=prior).checkpoint,
    }


def described(held_out: HeldOut) -> dict[str, Any]:
    """Return the figures of the folds."""
    figures = held_out.figures
    return {
        "seeds": held_out.seeds,
        "gallery_of_nine": float(np.mean(held_out.sizes)),
        "own_video": {name: _intervals(of) for name, of in figures.items()},
        "paired": {f"{one} - {other}": _intervals(figures[one] - figures[other]) for one, other in PAIRED},
        "calibration_error": {name: of.report() for name, of in held_out.reliability.items()},
        "sigma_against_rank": held_out.sigma_against_rank(),
        "chosen": held_out.chosen,
    }


def _intervals(figures: Any) -> dict[str, dict[str, dict[str, Any]]]:
    report = figures.report().retrieval
    return {size: {d: asdict(report[d][size]) for d in DIRECTIONS} for size in report["AV"]}


if __name__ == "__main__":
    main()
