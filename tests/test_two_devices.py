"""A library that was encoded on one device and is asked on another: docs/gpu.md, "Equal bits".

What another device rounds otherwise is emulated on the processor; the tests marked `gpu` try a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from app.library.session import Session
from benchmarks.quality.rounding import OTHER_DEVICES, Encode, Seconds, by_tf32, seconds_of, share_off
from index.certified_gallery import CertifiedGallery
from model.data.distance import distances
from model.data.latents import Latents
from model.modality import MODALITIES, Modality
from model.network.checkpoint import Checkpoint
from model.network.device import choose_device
from model.network.encoder import Encoder

CPU = torch.device("cpu")
SHIPPED = Path(__file__).parent.parent / "app" / "default" / "generated"
LATENTS_WITHIN = 1e-4  # of a row's length
DISTANCES_WITHIN = 1e-4  # where 1 is usual
K = 5


@pytest.fixture(scope="module")
def seconds(library: Path) -> Seconds:
    """Return the features of a small library of `raw`: (mels, spectra) and (3, height, width), thirty of each."""
    with Session.open(library, CPU, create=False) as session:
        found = seconds_of(session)
    assert [rows.shape for rows in found.values()] == [(30, 64, 32), (30, 3, 32, 32)]
    return found


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(Checkpoint.load(SHIPPED), CPU)


def assert_close(found: Latents, expected: Latents) -> None:
    assert share_off(found, expected) < LATENTS_WITHIN


def assert_same_hits(items: Latents, asked: Latents, asked_otherwise: Latents, encoder: Encoder) -> None:
    """Check that two devices' queries find the same items, in the same order but for those as far from the query."""
    weights = encoder.checkpoint.weights
    gallery = CertifiedGallery(np.arange(len(items)), items, weights)
    true = distances(asked, items, weights).total
    pairs = zip(gallery.search_batch(asked, K), gallery.search_batch(asked_otherwise, K), strict=True)
    for row, (here, there) in enumerate(pairs):
        np.testing.assert_allclose(there.distance, here.distance, rtol=0, atol=DISTANCES_WITHIN)
        np.testing.assert_allclose(true[row, there.ids], here.distance, rtol=0, atol=2 * DISTANCES_WITHIN)


@pytest.mark.parametrize("encode", OTHER_DEVICES)
@pytest.mark.parametrize("target", MODALITIES)
def test_another_rounding_finds_the_same_hits(
    seconds: Seconds, encoder: Encoder, encode: Encode, target: Modality
) -> None:
    """Whichever of the two encoded the library: latents within 1e-4 of their length, distances within 1e-4."""
    here = {modality: encoder.latents(modality, rows) for modality, rows in seconds.items()}
    there = {modality: encode(encoder, modality, rows) for modality, rows in seconds.items()}
    for modality in MODALITIES:
        assert_close(there[modality], here[modality])
        assert_same_hits(here[target], here[modality], there[modality], encoder)
        assert_same_hits(there[target], there[modality], here[modality], encoder)


def test_the_emulated_devices_do_round_otherwise(seconds: Seconds, encoder: Encoder) -> None:
    """Each differs somewhere in its last bits, and none for good: the encoder is left as it was."""
    here = encoder.latents("audio", seconds["audio"])
    for encode in (*OTHER_DEVICES, by_tf32):
        assert share_off(encode(encoder, "audio", seconds["audio"]), here) > 0, encode.__name__
        assert share_off(encoder.latents("audio", seconds["audio"]), here) == 0, encode.__name__


@pytest.mark.parametrize("modality", MODALITIES)
def test_ten_bits_would_break_the_promise(seconds: Seconds, encoder: Encoder, modality: Modality) -> None:
    """TF32's rounding takes latents and distances out of the tolerance, which is why it is off."""
    here, there = encoder.latents(modality, seconds[modality]), by_tf32(encoder, modality, seconds[modality])
    assert share_off(there, here) > 3 * LATENTS_WITHIN
    with pytest.raises(AssertionError):
        assert_same_hits(here, here, there, encoder)


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """Return the GPU as a service uses it."""
    yield choose_device("cuda")
    torch.use_deterministic_algorithms(False)


@pytest.mark.gpu
@pytest.mark.parametrize("target", MODALITIES)
def test_a_gpu_and_the_processor_find_the_same_hits(
    seconds: Seconds, encoder: Encoder, cuda: torch.device, target: Modality
) -> None:
    """A library encoded on either is asked on the other, within the same tolerance."""
    on_gpu = Encoder(Checkpoint.load(SHIPPED), cuda)
    here = {modality: encoder.latents(modality, rows) for modality, rows in seconds.items()}
    there = {modality: on_gpu.latents(modality, rows) for modality, rows in seconds.items()}
    for modality in MODALITIES:
        assert_close(there[modality], here[modality])
        assert_same_hits(here[target], here[modality], there[modality], encoder)
        assert_same_hits(there[target], there[modality], here[modality], encoder)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_bits_twice(seconds: Seconds, cuda: torch.device) -> None:
    """The same rows in the same batches, by an encoder of its own each time."""
    first, second = (Encoder(Checkpoint.load(SHIPPED), cuda).latents("visual", seconds["visual"]) for _ in range(2))
    assert share_off(first, second) == 0
