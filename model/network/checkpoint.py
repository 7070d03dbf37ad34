"""A trained model on disk: NAME.safetensors (weights, normalization) and NAME.json (everything else).

The fingerprint is the hash of both files' bytes. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from model.data.distance import ScoreWeights
from model.data.temporal_context import TemporalContext
from model.errors import CheckpointError
from model.network.match import Match
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization

FORMAT = 1
PAPER_WIDTHS = "published"  # what this format calls `Architecture.paper_widths`


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Hold what serving needs.

    `temperature` scales window distances into probabilities. `context` is that in which seconds are indexed and asked.
    `match` turns distances into probabilities; None where it was not fitted. `training` is the report of the run that
    made it: command, seed, recipe, figures on validation.
    """

    model: MSVAE
    normalization: Normalization
    front_end: str
    front_end_identity: str
    weights: ScoreWeights = field(default_factory=ScoreWeights)
    temperature: float = 1.0
    training: dict[str, Any] = field(default_factory=dict)
    context: TemporalContext = field(default_factory=TemporalContext)
    match: Match | None = None
    stored: str | None = None  # the fingerprint of the files that it was read from

    @property
    def fingerprint(self) -> str:
        """Return the first 16 hex digits of the SHA-256 over the bytes of both files, stored or to be stored."""
        return self.stored or _fingerprint(*self._bytes())

    def trained_on(self, video_ids: Iterable[str]) -> int:
        """Return how many of the videos it was trained on: figures on those are no held-out figures."""
        return len(set(video_ids).intersection(self.training.get("trained_on", ())))

    def save(self, path: Path) -> Path:
        """Write both files beside each other, the JSON last, and return its path; `path` has no suffix."""
        tensors, config = self._bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix, content in ((".safetensors", tensors), (".json", config)):
            partial = path.with_name(f"{path.name}{suffix}.partial")
            partial.write_bytes(content)
            os.replace(partial, path.with_name(path.name + suffix))
        return path.with_name(path.name + ".json")

    @staticmethod
    def load(path: Path) -> Checkpoint:
        """Read what `save` wrote; `path` with or without suffix.

        Raises:
            CheckpointError: a file is absent, is corrupt, or has a format that this version does not read.
        """
        stem = path.with_suffix("") if path.suffix in (".json", ".safetensors") else path
        config_path, tensors_path = (
            stem.with_name(stem.name + ".json"),
            stem.with_name(stem.name + ".safetensors"),
        )
        try:
            config_bytes, tensor_bytes = config_path.read_bytes(), tensors_path.read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"no checkpoint at {stem} ({error.strerror}); two files, {config_path.name} and "
                f"{tensors_path.name}, are expected: train one with: echolens train"
            ) from error
        try:
            return _parse(config_bytes, tensor_bytes)
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise CheckpointError(f"the checkpoint {stem} cannot be read ({error}); train or copy it again") from error

    def _bytes(self) -> tuple[bytes, bytes]:
        state = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        state |= {f"normalization.{k}": v for k, v in self.normalization.state_dict().items()}
        architecture = asdict(self.model.architecture)
        architecture[PAPER_WIDTHS] = architecture.pop("paper_widths")
        config = {
            "format": FORMAT,
            "front_end": self.front_end,
            "front_end_identity": self.front_end_identity,
            "architecture": architecture,
            "weights": asdict(self.weights),
            "temperature": self.temperature,
            "training": self.training,
        }
        if self.context.width_s:  # what older checkpoints lack is written only where it says something
            config["context"] = asdict(self.context)
        if self.match is not None:
            config["match"] = asdict(self.match)
        tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        return save_tensors(tensors), json.dumps(config, indent=1, sort_keys=True).encode()


def _fingerprint(tensors: bytes, config: bytes) -> str:
    digest = hashlib.sha256()
    for part in (tensors, config):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]


def _parse(config_bytes: bytes, tensor_bytes: bytes) -> Checkpoint:
    config = json.loads(config_bytes)
    if config["format"] != FORMAT:
        raise ValueError(f"format {config['format']}, this version reads {FORMAT}")
    architecture = config["architecture"]
    shapes = {k: tuple(architecture[k]) for k in ("audio_shape", "visual_shape")}
    paper_widths = architecture.pop(PAPER_WIDTHS, False)
    model = MSVAE(Architecture(**(architecture | shapes), paper_widths=paper_widths))
    normalization = Normalization(**shapes)
    tensors = load_tensors(tensor_bytes)
    for module, prefix in ((model, "model."), (normalization, "normalization.")):
        module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    return Checkpoint(
        model.eval(),
        normalization,
        config["front_end"],
        config["front_end_identity"],
        ScoreWeights(**config["weights"]),
        config["temperature"],
        config["training"],
        _context_of(config.get("context")),
        Match.parse(config["match"]) if "match" in config else None,
        _fingerprint(tensor_bytes, config_bytes),
    )


def _context_of(stored: dict[str, Any] | None) -> TemporalContext:
    return TemporalContext() if stored is None else TemporalContext(tuple(stored["weights"]), stored["cut"])
