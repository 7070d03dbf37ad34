"""The starting model: an MS-VAE made of a front-end's prior alone, which serves a library before any training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch

from model.data.distance import ScoreWeights
from model.data.temporal_context import TemporalContext
from model.frontends.prior import Prior
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.match import Match
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization
from model.training.start import HIDDEN, LATENT, PRIOR_AXES, Start

# Three seconds on either side. Embeddings are not centred here: pictures of two clips have a cosine of .3 to .5, those
# of neighbouring seconds nearly always more.
CONTEXT = TemporalContext((1.0, 1.0, 1.0, 1.0), cut=0.5)
GENERATED_SHARE = 0.25
DRAWS = 2000
# Written by: python -m benchmarks.learning.generic_footage
STARTING_CALIBRATION = Path(__file__).with_name("starting_calibration.json")


def starting_model(front_end: tuple[str, str], prior: Prior, shapes: dict[Modality, int]) -> Checkpoint:
    """Return the starting model of a front-end, given by its name and identity; the same bytes each time.

    `shapes`: how many numbers the features of each modality have.
    """
    calibration = json.loads(STARTING_CALIBRATION.read_text(encoding="utf-8"))
    torch.manual_seed(0)
    model = MSVAE(Architecture((shapes["audio"],), (shapes["visual"],), LATENT, HIDDEN)).eval()
    normalization = Normalization((shapes["audio"],), (shapes["visual"],))
    concepts = len(prior.concepts.names)
    for m in MODALITIES:
        normalization.get_buffer(f"{m}_mean")[-concepts:] = torch.from_numpy(prior.usual[m])
        normalization.get_buffer(f"{m}_scale").fill_(prior.spread[m])
    Start.of(prior).apply(model, normalization, share=0.0)
    report = {
        "recipe": {"name": "start"},
        "videos": 0,
        "pairs": 0,
        "trained_on": [],
        "generated_share": GENERATED_SHARE,
    }
    return Checkpoint(
        model,
        normalization,
        *front_end,
        _weights(model),
        temperature=calibration["temperature"],
        training=report,
        context=CONTEXT,
        match=Match.parse(calibration["match"]),
    )


def _weights(model: MSVAE) -> ScoreWeights:
    """Return w and g such that the parts between unrelated latents are as (1 - GENERATED_SHARE) to GENERATED_SHARE."""
    drawn = np.zeros((DRAWS, LATENT))
    drawn[:, :PRIOR_AXES] = np.random.default_rng(0).normal(size=(DRAWS, PRIOR_AXES))
    drawn *= math.sqrt(LATENT) / np.linalg.norm(drawn, axis=1, keepdims=True)
    with torch.no_grad():
        generated = model.decode(torch.from_numpy(drawn).float()).numpy()
    half = DRAWS // 2
    latent, pair = (float(np.median(np.linalg.norm(x[:half] - x[half:], axis=1))) for x in (drawn, generated))
    return ScoreWeights((1 - GENERATED_SHARE) / latent, GENERATED_SHARE / pair)
