"""Measure over generic footage what a starting model cannot know by itself: usual evidence, and how far pairs lie.

    python -m benchmarks.learning.generic_footage --library DIR

The library holds the footage, ingested with `pretrained`. Written are model/frontends/usual_evidence.json (what
`Prior.load` reads: means over all footage, each video counting the same) and model/training/starting_calibration.json
(of the starting model's matches, four numbers a direction, and the temperature of its localization). No label is used.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library.features import corpus_of
from app.library.session import Session
from model.concepts.concepts import Concepts
from model.data.corpus import Corpus
from model.data.temporal_context import TemporalContext
from model.frontends.prior import USUAL_EVIDENCE, Prior
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.network.match import Match
from model.training.match_fit import fit_match
from model.training.starting_model import STARTING_CALIBRATION, starting_model
from model.training.validation import choose_temperature, encode_videos
from model.training.word_match import with_words

CPU = torch.device("cpu")


def main() -> None:
    """Run it."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    arguments = parser.parse_args()
    with Session.open(arguments.library, CPU, create=False) as session:
        prior = session.front_end.prior
        if prior is None:
            parser.error(f"the library's front-end {session.front_end.name} has no concepts: give one of `pretrained`")
        corpus = corpus_of(session)
    measured = measure_prior(corpus, prior.concepts)
    usual = {
        m: {
            "usual": {
                name: round(float(u), 4) for name, u in zip(prior.concepts.names, measured.usual[m], strict=True)
            },
            "spread": round(measured.spread[m], 4),
        }
        for m in MODALITIES
    }
    USUAL_EVIDENCE.write_text(json.dumps(usual, indent=1) + "\n")
    shipped = Prior.load(prior.concepts)
    calibration = {
        "temperature": round(measure_temperature(corpus, shipped), 4),
        "match": _rounded(asdict(measure_match(corpus, shipped))),
    }
    STARTING_CALIBRATION.write_text(json.dumps(calibration, indent=1) + "\n")
    print(f"{USUAL_EVIDENCE} and {STARTING_CALIBRATION}: {len(corpus)} videos")


def measure_prior(corpus: Corpus, concepts: Concepts) -> Prior:
    """Return the prior whose usual evidence is that of a corpus."""
    found = {m: _usual(corpus, m, len(concepts.names)) for m in MODALITIES}
    return Prior(
        concepts, {m: usual for m, (usual, _) in found.items()}, {m: spread for m, (_, spread) in found.items()}
    )


def measure_match(corpus: Corpus, prior: Prior) -> Match:
    """Return the calibration of the starting model's matches on a corpus. Raises ValueError: it has too few pairs."""
    encoder = Encoder(_starting_model(corpus, prior), CPU)
    weights, width_s = encoder.checkpoint.weights, encoder.checkpoint.context.width_s
    match = fit_match([(encode_videos(encoder, corpus), weights)], width_s)
    if match is None:
        raise ValueError(f"{len(corpus)} videos given, at least two with sound and picture expected")
    return with_words(match, encoder, corpus, prior)


def measure_temperature(corpus: Corpus, prior: Prior) -> float:
    """Return the temperature of localization by the starting model, which takes each second alone for that."""
    checkpoint = replace(_starting_model(corpus, prior), context=TemporalContext())
    return choose_temperature(encode_videos(Encoder(checkpoint, CPU), corpus), checkpoint.weights)


def _starting_model(corpus: Corpus, prior: Prior) -> Checkpoint:
    return starting_model(("", ""), prior, {"audio": corpus.audio.shape[1], "visual": corpus.visual.shape[1]})


def _usual(corpus: Corpus, modality: Modality, concepts: int) -> tuple[np.ndarray, float]:
    """Return the mean log evidence (C,), and the root mean square difference from it, over videos."""
    has = corpus.heard if modality == "audio" else corpus.seen
    evidence = getattr(corpus, modality)[:, -concepts:].astype(np.float64)
    members = [np.flatnonzero((corpus.video == v) & has) for v in range(len(corpus))]
    videos = [evidence[rows] for rows in members if len(rows)]
    usual = np.mean([video.mean(0) for video in videos], axis=0)
    spread = float(np.sqrt(np.mean([np.square(video - usual).mean() for video in videos])))
    return usual.astype(np.float32), spread


def _rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        what: {direction: [round(n, 4) for n in values] for direction, values in found.items()}
        for what, found in numbers.items()
    }


if __name__ == "__main__":
    main()
