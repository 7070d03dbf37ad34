"""The answers that a user would see: the best three videos for a sound and for a frame of labelled clips.

    python -m benchmarks.quality.real_answers --library DIR [--count 10] [--esc10 DIR]

Each query is a file's second 2. Its own video, which training has seen, is named apart: what counts is what else
is found. With --esc10, the first recording of each folder is asked for pictures, averaged over its seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from app.library.session import Session
from app.queries.engine import answer
from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Retrieval
from index.records import Video
from model.errors import MediaError
from model.media.medium import Limits
from model.modality import Modality

AT_S = 2.0
LISTED = 3


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--esc10", type=Path)
    arguments = parser.parse_args()
    with Session.open(arguments.library, torch.device("cpu"), create=False) as session:
        videos = list(session.library.catalogue.every_video())
        print(f"{len(videos)} videos; by chance a given one is among the best {LISTED} in {LISTED / len(videos):.0%}")
        labelled = [v for v in videos if v.label and _has_both(session, v)]
        for video in labelled[: arguments.count]:
            for query, target in (("audio", "visual"), ("visual", "audio")):
                _print(session, session.library.locate(video.path), video, query, target, AT_S)  # type: ignore[arg-type]
        for folder in sorted(arguments.esc10.iterdir()) if arguments.esc10 else []:
            if folder.is_dir():
                _print(session, min(folder.iterdir()), None, "audio", "visual", None)


def _has_both(session: Session, video: Video) -> bool:
    rows = session.library.catalogue.segments_of(video.video_id)
    return any(r.start_s == AT_S and r.heard and r.seen for r in rows)


def _print(
    session: Session, path: Path, own: Video | None, query: Modality, target: Modality, at_s: float | None
) -> None:
    question = Question(target=target, k=1000, group_by="video")
    try:
        found = answer(session, Retrieval(question, Query(path, modality=query, at_s=at_s)), Limits())
    except MediaError as error:
        print(f"{path.parent.name}: {error}")
        return
    others = [h for h in found.hits if own is None or h.video.video_id != own.video_id]
    rank = next((h.rank for h in found.hits if own and h.video.video_id == own.video_id), None)
    name = own.label if own else path.parent.name
    listed = "; ".join(f"{h.video.label or '(no label)'} {h.video.file_name[:6]}@{h.start_s}" for h in others[:LISTED])
    own_rank = f"own video at rank {rank} of {len(found.hits)}" if own else "a recording from elsewhere"
    print(f"{name} ({query} -> {target}; {own_rank}): {listed}")


if __name__ == "__main__":
    main()
