"""A front-end that names pitches and colours, and a library that an untrained model encodes with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from service_samples import KINDS

from app.library.ingest import Source, ingest
from app.library.session import Session
from index.library import Library
from model.concepts.concepts import Concepts
from model.data.temporal_context import TemporalContext
from model.frontends.frontend import FrontEnd
from model.frontends.prior import EVIDENCE_FLOOR, Prior
from model.media.medium import Limits
from model.network.checkpoint import Checkpoint
from model.network.match import Match
from model.network.msvae import MSVAE, Architecture
from model.network.normalization import Normalization

CPU = torch.device("cpu")
ALONE = TemporalContext()
# The footage of service_samples: a spot of one colour, and a tone that is lower for red than for green and blue.
TABLE = {
    "colour": {"words": "hue"},
    "red": {"broader": ["colour"], "sounds": ["low"], "pictures": ["crimson"], "words": "scarlet"},
    "green": {"broader": ["colour"], "sounds": ["middle"], "pictures": ["emerald"], "words": "grass"},
    "blue": {"broader": ["colour"], "sounds": ["high"], "pictures": ["azure"], "words": "sky"},
    "rumble": {"sounds": ["thunder"], "only": "sound", "words": "grumble"},
}
CLASSES = {"audio": ("low", "middle", "high", "thunder"), "visual": ("crimson", "emerald", "azure")}
EVERY = [f"{q}-{t}" for q in (*CLASSES, "text") for t in CLASSES]
CALIBRATION = Match(dict.fromkeys(EVERY, (2.0, -1.0, 0.0, 0.0)), dict.fromkeys(EVERY, (-1.0, 0.3)))


class NamingFrontEnd(FrontEnd):
    """Two numbers, and the log evidence of the concepts."""

    name = "naming"
    identity = "naming-1"
    audio_shape = visual_shape = (2 + len(TABLE),)
    prior: Prior

    def __init__(self) -> None:
        usual = {m: np.full(len(TABLE), np.log(floor), np.float32) for m, floor in EVIDENCE_FLOOR.items()}
        self.prior = Prior(Concepts(TABLE, CLASSES), usual, dict.fromkeys(EVIDENCE_FLOOR, 1.0))

    def audio(self, sound: np.ndarray) -> np.ndarray:
        """Tell the pitch by the strongest frequency: 300 Hz more for each kind."""
        pitch_hz = int(np.abs(np.fft.rfft(sound)).argmax())
        scores = np.zeros(4, np.float32)
        scores[min(2, pitch_hz // 300 - 1)] = 1
        return np.concatenate([[pitch_hz / 1000, 0], self.prior.log_evidence("audio", scores)]).astype(np.float32)

    def visual(self, frame: np.ndarray) -> np.ndarray:
        """Tell the colour of the brightest spot."""
        scores = np.zeros(3, np.float32)
        scores[int(frame.max((0, 1)).argmax())] = 1
        return np.concatenate([[0, 0], self.prior.log_evidence("visual", scores)]).astype(np.float32)


@contextmanager
def naming_session(
    directory: Path,
    match: Match | None = CALIBRATION,
    footage: list[Path] | None = None,
    context: TemporalContext = ALONE,
) -> Iterator[Session]:
    """Open a library of this front-end, made with the footage where there is none, in this process."""
    front_end = NamingFrontEnd()
    torch.manual_seed(0)
    model = MSVAE(Architecture(front_end.audio_shape, front_end.visual_shape, latent=8, hidden=32)).eval()
    normalization = Normalization(front_end.audio_shape, front_end.visual_shape)
    normalization.audio_mean += torch.from_numpy(np.r_[0.0, 0.0, front_end.prior.usual["audio"]]).float()
    normalization.visual_mean += torch.from_numpy(np.r_[0.0, 0.0, front_end.prior.usual["visual"]]).float()
    checkpoint = Checkpoint(model, normalization, front_end.name, front_end.identity, match=match, context=context)
    with Library.open(directory) as library:
        checkpoint.save(library.checkpoints / checkpoint.fingerprint)
        library.catalogue.set_identity(front_end.name, checkpoint.fingerprint)
        session = Session(library, CPU, make=lambda name, directory: front_end)
        if footage:
            outcomes = ingest(session, [Source(path, path.name) for path in footage], Limits())
            assert {outcome.state for outcome in outcomes} == {"added"}, outcomes
        yield session


def kind_of(file_name: str) -> str:
    """Return what a clip of service_samples shows and sounds like."""
    kind = file_name.partition("-")[0]
    assert kind in KINDS
    return kind
