"""Choose the weights of a checkpoint's distance anew, on footage that it was not trained on.

    python -m benchmarks.learning.reweigh --library DIR --checkpoint PATH --out PATH

The network stays as it is, bit by bit: the shares of both parts, the temperature and the calibration of matches are
chosen on the library's videos, as `echolens train` chooses them. Printed is the held-out MRR of each share.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import replace
from pathlib import Path

import torch

from app.library.features import corpus_of
from app.library.session import Session
from model.data.temporal_context import SHARP
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.training.match_fit import fit_match
from model.training.validation import (
    SHARES,
    best_share,
    choose_temperature,
    encode_pairs,
    encode_videos,
    validate_shares,
    weights_of,
)

CPU = torch.device("cpu")


def main() -> None:
    """Run it."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    checkpoint = Checkpoint.load(arguments.checkpoint)
    with Session.open(arguments.library, CPU, create=False) as session:
        corpus = corpus_of(session)
    if seen := checkpoint.trained_on(corpus.video_ids):
        parser.error(f"{seen} of {len(corpus)} videos were trained on: give footage that the checkpoint has not seen")
    pairs = encode_pairs(Encoder(checkpoint, CPU), corpus)
    found = validate_shares(pairs)
    for share, figure in zip(SHARES, found, strict=True):
        print(f"share {share:.2f}: MRR {figure.mrr:.3f} (chance {figure.chance:.3f})")
    share = best_share([figure.mrr for figure in found])
    weights = weights_of(pairs, SHARES[share])
    whole = encode_videos(Encoder(replace(checkpoint, context=SHARP), CPU), corpus)
    reweighed = replace(
        checkpoint,
        weights=weights,
        temperature=choose_temperature(whole, weights),
        match=fit_match([(encode_videos(Encoder(checkpoint, CPU), corpus), weights)], checkpoint.context.width_s),
        training=checkpoint.training | {"generated_share": SHARES[share]},
        stored=None,
    )
    print(f"{reweighed.save(arguments.out)}: share {SHARES[share]}, fingerprint {reweighed.fingerprint}")


if __name__ == "__main__":
    main()
