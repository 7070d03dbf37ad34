"""How far the rounding of another device moves latents and distances: the worst second, sound and picture.

    python -m benchmarks.quality.rounding --library LIB [--device cuda] [--json OUT]

Encodes a library's seconds with its model on the CPU, and again as other devices would: by other kernels, in another
layout, in other batches, with exact sums, and as TF32. `--device cuda` does it on a GPU too. `latents`: by which share
of its length the worst row is off, of means, deviations or generated pairs. `distances`: by how much the distances from
such queries to the library differ; a distance of 1 is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from app.library.features import corpus_of
from app.library.session import Session
from benchmarks.report import json_parser, tell
from model.data.distance import ScoreWeights, distances
from model.data.latents import Latents
from model.modality import MODALITIES, Modality
from model.network.device import choose_device, name_of
from model.network.encoder import Encoder

CPU = torch.device("cpu")
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
TF32_BITS, FLOAT32_BITS = 10, 23  # of the fraction
Seconds = dict[Modality, np.ndarray]
Encode = Callable[[Encoder, Modality, np.ndarray], Latents]


def main() -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    with Session.open(arguments.library, CPU, create=False) as session:
        seconds = seconds_of(session)
        here = Encoder(session.encoder.checkpoint, CPU)
        encodes = [*OTHER_DEVICES, by_tf32]
        report = {encode.__name__: _report(here, seconds, encode) for encode in encodes}
        if arguments.device == "cuda":
            device = choose_device("cuda")
            there = Encoder(deepcopy(here.checkpoint), device)
            report[name_of(device)] = _report(here, seconds, lambda _, *rows: there.latents(*rows))
    tell({"seconds": {modality: len(rows) for modality, rows in seconds.items()}, "off_by": report}, arguments.json)


def seconds_of(session: Session) -> Seconds:
    """Return the features of a library's seconds, by modality."""
    corpus = corpus_of(session)
    return {"audio": corpus.audio[corpus.heard], "visual": corpus.visual[corpus.seen]}


def by_other_kernels(encoder: Encoder, modality: Modality, features: np.ndarray) -> Latents:
    """Encode without oneDNN, by torch's own convolutions."""
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    try:
        return encoder.latents(modality, features)
    finally:
        torch.backends.mkldnn.enabled = True  # type: ignore[assignment]


def in_another_layout(encoder: Encoder, modality: Modality, features: np.ndarray) -> Latents:
    """Encode with the channels last in memory."""
    model = encoder.checkpoint.model
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        return encoder.latents(modality, features)
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def one_at_a_time(encoder: Encoder, modality: Modality, features: np.ndarray) -> Latents:
    """Encode each second in a batch of its own."""
    return Latents.concatenate(encoder.latents(modality, features[[row]]) for row in range(len(features)))


def by_exact_sums(encoder: Encoder, modality: Modality, features: np.ndarray) -> Latents:
    """Encode with each layer's sums in float64, rounded once."""
    with _sums_of(encoder.checkpoint.model, lambda numbers: numbers):
        return encoder.latents(modality, features)


def by_tf32(encoder: Encoder, modality: Modality, features: np.ndarray) -> Latents:
    """Encode as TF32 does: each layer sums exactly, but sees only 10 bits of the fraction of weights and inputs."""
    with _sums_of(encoder.checkpoint.model, _to_tf32):
        return encoder.latents(modality, features)


OTHER_DEVICES: tuple[Encode, ...] = (by_other_kernels, in_another_layout, one_at_a_time, by_exact_sums)


def share_off(found: Latents, expected: Latents) -> float:
    """Return by which share of its length the worst row is off, of means, deviations or generated pairs."""
    pairs = [(getattr(found, part), getattr(expected, part)) for part in ("mu", "sigma", "generated")]
    return max(float((np.linalg.norm(f - e, axis=1) / np.linalg.norm(e, axis=1)).max()) for f, e in pairs)


def _report(encoder: Encoder, seconds: Seconds, encode: Encode) -> dict[str, float]:
    here = {modality: encoder.latents(modality, rows) for modality, rows in seconds.items()}
    there = {modality: encode(encoder, modality, rows) for modality, rows in seconds.items()}
    weights = encoder.checkpoint.weights
    return {
        "latents": max(share_off(there[modality], here[modality]) for modality in MODALITIES),
        "distances": max(
            _moved(there[asked], here[asked], here[target], weights) for asked in MODALITIES for target in MODALITIES
        ),
    }


def _moved(found: Latents, expected: Latents, items: Latents, weights: ScoreWeights) -> float:
    return float(np.abs(distances(found, items, weights).total - distances(expected, items, weights).total).max())


@contextmanager
def _sums_of(model: nn.Module, seen: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let each layer sum in float64 what `seen` leaves of its weights and inputs."""
    layers = [layer for layer in model.modules() if isinstance(layer, LAYERS)]
    for layer in layers:
        exact = deepcopy(layer)
        exact.weight.data = seen(layer.weight.data)
        layer.forward = _in_float64(exact.double(), seen)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _in_float64(exact: nn.Module, seen: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward(inputs: Tensor) -> Tensor:
        summed: Tensor = exact(seen(inputs).double())
        return summed.float()

    return forward


def _to_tf32(numbers: Tensor) -> Tensor:
    """Round to the nearest number with 10 bits of fraction."""
    dropped = FLOAT32_BITS - TF32_BITS
    bits = numbers.contiguous().view(torch.int32)
    return ((bits + (1 << (dropped - 1))) >> dropped << dropped).view(torch.float32)


if __name__ == "__main__":
    main()
