"""Measure the usual log evidence of each concept over generic footage: what `Prior.load` reads.

    python -m benchmarks.learning.usual_evidence --library DIR [--out model/frontends/usual_evidence.json]

The library holds the footage, ingested with `pretrained`. Each video counts as much as any other. Only means over all
footage are written. No label is used.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library.features import corpus_of
from app.library.session import Session
from model.data.corpus import Corpus
from model.frontends.prior import USUAL_EVIDENCE
from model.modality import MODALITIES, Modality


def main() -> None:
    """Run it."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=USUAL_EVIDENCE)
    arguments = parser.parse_args()
    with Session.open(arguments.library, torch.device("cpu"), create=False) as session:
        prior = session.front_end.prior
        if prior is None:
            parser.error(f"the library's front-end {session.front_end.name} has no concepts: give one of `pretrained`")
        corpus = corpus_of(session)
    found = {m: usual_evidence(corpus, m, prior.concepts.names) for m in MODALITIES}
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{arguments.out}: {len(corpus)} videos")


def usual_evidence(corpus: Corpus, modality: Modality, names: tuple[str, ...]) -> dict[str, Any]:
    """Return {"usual": {concept: mean log evidence}, "spread": root mean square difference from it} over videos."""
    has = corpus.heard if modality == "audio" else corpus.seen
    evidence = getattr(corpus, modality)[:, -len(names) :].astype(np.float64)
    members = [np.flatnonzero((corpus.video == v) & has) for v in range(len(corpus))]
    videos = [evidence[rows] for rows in members if len(rows)]
    usual = np.mean([video.mean(0) for video in videos], axis=0)
    spread = float(np.sqrt(np.mean([np.square(video - usual).mean() for video in videos])))
    return {"usual": {n: round(float(u), 4) for n, u in zip(names, usual, strict=True)}, "spread": round(spread, 4)}


if __name__ == "__main__":
    main()
