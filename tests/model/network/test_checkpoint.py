"""A checkpoint is its content: saved, loaded, named by its hash, refused when spoilt."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from corpus_samples import planted_corpus
from safetensors.torch import load_file, save_file

from model.data.distance import ScoreWeights
from model.errors import CheckpointError
from model.modality import MODALITIES
from model.network.checkpoint import Checkpoint
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization


@pytest.fixture(params=["vectors", "raw"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    torch.manual_seed(0)
    shapes = {"vectors": ((12,), (16,)), "raw": ((16, 32), (3, 16, 16))}[request.param]
    model = MSVAE(Architecture(*shapes, latent=8, hidden=16, dropout=0.1)).eval()
    corpus = planted_corpus(audio_shape=shapes[0], visual_shape=shapes[1])
    training = {"seed": 3, "recipe": {"kl_warm_up": (0, 0.1)}, "mrr": 0.1 + 0.2}
    weights = ScoreWeights(0.123456789, 1 / 3)
    return Checkpoint(model, Normalization.fit(corpus), "raw", "raw-1", weights, 0.7, training)


def test_save_and_load_are_inverse(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Every tensor bit by bit, every setting, and so the fingerprint."""
    path = checkpoint.save(tmp_path / "models" / "m")
    found = Checkpoint.load(path)
    for module in ("model", "normalization"):
        before, after = (getattr(c, module).state_dict() for c in (checkpoint, found))
        assert before.keys() == after.keys()
        assert all(torch.equal(before[k], after[k]) for k in before)
    assert found.model.architecture == checkpoint.model.architecture
    assert (found.front_end, found.front_end_identity) == ("raw", "raw-1")
    assert (found.weights, found.temperature) == (checkpoint.weights, 0.7)
    assert found.training == {"seed": 3, "recipe": {"kl_warm_up": [0, 0.1]}, "mrr": 0.1 + 0.2}
    assert found.fingerprint == checkpoint.fingerprint
    assert not found.model.training


def test_a_loaded_model_generates_the_same_bits(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """What serves is what was trained."""
    found = Checkpoint.load(checkpoint.save(tmp_path / "m"))
    for modality in MODALITIES:
        features = torch.randn(4, *getattr(checkpoint.model.architecture, f"{modality}_shape"))
        assert torch.equal(checkpoint.model(modality, features), found.model(modality, features))


def test_the_shipped_checkpoint_has_one_fingerprint(tmp_path: Path) -> None:
    """That of its files, loaded or saved again: the paper's widths keep the name that format 1 gave them."""
    shipped = Checkpoint.load(Path(__file__).parents[3] / "app" / "default" / "generated")
    assert shipped.fingerprint == replace(shipped, stored=None).fingerprint == "123c5cf6b7816e88"


def test_a_checkpoint_with_the_papers_widths_loads(tmp_path: Path) -> None:
    """Its JSON calls them `published`, as it always did, and no other name is written."""
    torch.manual_seed(0)
    model = MSVAE(Architecture((12,), (16,), latent=8, spherical=False, paper_widths=True)).eval()
    path = Checkpoint(model, Normalization((12,), (16,)), "raw", "raw-1").save(tmp_path / "m")
    settings = json.loads(path.read_text())["architecture"]
    assert settings == {
        "audio_shape": [12],
        "visual_shape": [16],
        "latent": 8,
        "hidden": 256,
        "dropout": 0.0,
        "spherical": False,
        "published": True,
    }
    features = torch.randn(4, 12)
    found = Checkpoint.load(path).model
    assert found.architecture.paper_widths
    assert torch.equal(found("audio", features), model("audio", features))


def test_any_way_of_naming_a_checkpoint_finds_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """With either suffix or none, also where the name has a dot; nothing partial is left."""
    path = checkpoint.save(tmp_path / "model-1.5")
    assert path.name == "model-1.5.json"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model-1.5.json", "model-1.5.safetensors"]
    for name in ("model-1.5", "model-1.5.json", "model-1.5.safetensors"):
        assert Checkpoint.load(tmp_path / name).fingerprint == checkpoint.fingerprint


CHANGES: dict[str, Callable[[Checkpoint], Checkpoint]] = {
    "score weights": lambda c: replace(c, weights=ScoreWeights(0.123456789, 0.5)),
    "temperature": lambda c: replace(c, temperature=0.70001),
    "front-end": lambda c: replace(c, front_end_identity="raw-2"),
    "report": lambda c: replace(c, training={}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_every_setting(checkpoint: Checkpoint, change: str) -> None:
    """Two checkpoints that differ in anything have different names."""
    assert CHANGES[change](checkpoint).fingerprint != checkpoint.fingerprint


def test_the_fingerprint_changes_with_one_number(checkpoint: Checkpoint) -> None:
    """One weight moved by one step of float32, or one mean, gives another fingerprint; putting it back, the same."""
    before = checkpoint.fingerprint
    for tensor in (next(checkpoint.model.parameters()).data, checkpoint.normalization.audio_mean):
        flat = tensor.view(-1)
        old = flat[0].clone()
        flat[0] = torch.nextafter(old, torch.tensor(torch.inf))
        assert checkpoint.fingerprint != before
        flat[0] = old
        assert checkpoint.fingerprint == before


def spoil_json(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def spoil(stem: Path) -> None:
        path = stem.with_suffix(".json")
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return spoil


def spoil_tensors(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def spoil(stem: Path) -> None:
        path = stem.with_suffix(".safetensors")
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return spoil


def write(suffix: str, content: bytes) -> Callable[[Path], object]:
    return lambda stem: stem.with_suffix(suffix).write_bytes(content)


def cut(stem: Path) -> None:
    path = stem.with_suffix(".safetensors")
    path.write_bytes(path.read_bytes()[:-8])


FAULTS: dict[str, Callable[[Path], object]] = {
    "no settings": lambda stem: stem.with_suffix(".json").unlink(),
    "no tensors": lambda stem: stem.with_suffix(".safetensors").unlink(),
    "empty settings": write(".json", b""),
    "settings that are no JSON": write(".json", b"{"),
    "settings that are a list": write(".json", b"[]"),
    "settings that are no text": write(".json", b"\xff\xfe\x00"),
    "empty tensors": write(".safetensors", b""),
    "tensors cut short": cut,
    "a pickle for tensors": write(".safetensors", pickle.dumps({"model": 1})),
    "a pickle for settings": write(".json", pickle.dumps({"format": 1})),
    "a newer format": spoil_json(lambda c: c.update(format=2)),
    "no format": spoil_json(lambda c: c.pop("format")),
    "no architecture": spoil_json(lambda c: c.pop("architecture")),
    "no such shape": spoil_json(lambda c: c["architecture"].update(audio_shape=7)),
    "an unknown setting": spoil_json(lambda c: c["architecture"].update(layers=3)),
    "another latent": spoil_json(lambda c: c["architecture"].update(latent=9)),
    "weights below zero": spoil_json(lambda c: c["weights"].update(latent=-1.0)),
    "a tensor less": spoil_tensors(lambda t: t.pop(min(t))),
    "a tensor of another shape": spoil_tensors(lambda t: t.update({min(t): torch.zeros(1, 2, 3)})),
    "a tensor more": spoil_tensors(lambda t: t.update({"model.more": torch.zeros(1)})),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_checkpoint_is_refused(checkpoint: Checkpoint, tmp_path: Path, fault: str) -> None:
    """Absent, corrupt and foreign ones are a CheckpointError that names the place and says what to do."""
    stem = tmp_path / "m"
    checkpoint.save(stem)
    FAULTS[fault](stem)
    with pytest.raises(CheckpointError, match=rf"(?s){stem}.*train"):
        Checkpoint.load(stem)


def test_a_pickle_is_never_run(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """A file that would write when unpickled, renamed to either name, is refused and does nothing."""

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "sprung",)

    stem = tmp_path / "m"
    checkpoint.save(stem)
    torch.save({"model": Trap()}, stem.with_suffix(".safetensors"))
    with pytest.raises(CheckpointError):
        Checkpoint.load(stem)
    stem.with_suffix(".json").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        Checkpoint.load(stem)
    assert not (tmp_path / "sprung").exists()


def test_a_spoilt_byte_changes_the_fingerprint_or_is_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """No flipped bit in the tensors passes for the original."""
    stem = tmp_path / "m"
    checkpoint.save(stem)
    path = stem.with_suffix(".safetensors")
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        try:
            found = Checkpoint.load(stem)
        except CheckpointError:
            continue
        assert found.fingerprint != checkpoint.fingerprint
