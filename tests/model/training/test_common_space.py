"""The starting model of a space that sound and picture share: it ranks as the cosine of the embeddings does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from model.data.distance import distances
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder
from model.training.common_space import common_space_model

CPU = torch.device("cpu")
NUMBERS = 20


def embeddings(count: int, seed: int) -> np.ndarray:
    """Return random unit vectors."""
    drawn = np.random.default_rng(seed).standard_normal((count, NUMBERS))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_distances_follow_the_cosine() -> None:
    """A distance is sqrt(1 - cosine): 0 for the same embedding, 1 for orthogonal ones, in either direction."""
    model = common_space_model(("space", "space-1"), NUMBERS)
    encoder = Encoder(model, CPU)
    sound, picture = embeddings(6, 1), embeddings(9, 2)
    picture[0] = sound[0]
    found = distances(encoder.latents("audio", sound), encoder.latents("visual", picture), model.weights)
    np.testing.assert_allclose(found.latent, np.sqrt(np.maximum(0, 1 - sound @ picture.T)), atol=1e-3)
    assert not found.generated.any()


def test_what_a_latent_generates_is_its_embedding() -> None:
    """For both modalities, whichever was given."""
    model = common_space_model(("space", "space-1"), NUMBERS)
    picture = embeddings(3, 4)
    generated = Encoder(model, CPU).latents("visual", picture).generated
    np.testing.assert_allclose(generated, np.concatenate([picture, picture], axis=1), atol=1e-3)


def test_the_model_is_the_same_each_time_and_can_be_stored(tmp_path: Path) -> None:
    """Two makings have one fingerprint; it has no match, and says that no footage was seen."""
    first, again = (common_space_model(("space", "space-1"), NUMBERS) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    first.save(tmp_path / "model")
    stored = Checkpoint.load(tmp_path / "model")
    assert stored.fingerprint == first.fingerprint
    assert (stored.front_end, stored.front_end_identity, stored.match) == ("space", "space-1", None)
    assert stored.training["videos"] == 0
