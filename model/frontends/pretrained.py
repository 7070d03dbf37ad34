"""The `pretrained` front-end: YAMNet for sounds, EfficientNet-Lite2 for pictures, and the concepts that both name."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from model.concepts.concepts import Concepts
from model.errors import FrontEndError
from model.frontends import efficientnet_lite
from model.frontends.efficientnet_lite import EfficientNetLite2
from model.frontends.frontend import FrontEnd
from model.frontends.prior import EVIDENCE_FLOOR, Prior
from model.frontends.weights import EFFICIENTNET, YAMNET, installed, verified

YAMNET_SAMPLES = 15_600  # one patch of 0.975 s
YAMNET_EMBEDDING = 1024
TEMPERATURE = 2.0  # softens the softmax over picture classes, which is too sure of its first class
GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
PIPE_BYTES = 65_536


class PretrainedFrontEnd(FrontEnd):
    """An embedding and the log evidence of the concepts: YAMNet's 1024 numbers and C, EfficientNet-Lite2's 1280 and C.

    An interpreter of LiteRT serves one thread at a time, so each thread makes its own from the shared bytes.
    """

    name = "pretrained"
    rounding = 0.1  # YAMNet's weights are of 8 bits: other kernels of LiteRT give embeddings that are .05 apart
    prior: Prior

    def __init__(self, directory: Path) -> None:
        """Read and check the weights: YAMNet's in `directory`, the others where pip put them.

        Raises:
            FrontEndError: weights absent or not the pinned ones, or LiteRT is not installed.
        """
        self._yamnet = verified(directory, YAMNET)
        self._efficientnet = EfficientNetLite2(torch.load(io.BytesIO(installed(EFFICIENTNET)), weights_only=True))
        concepts = Concepts.load()
        self.prior = Prior.load(concepts)
        self.audio_shape = (YAMNET_EMBEDDING + len(concepts.names),)
        self.visual_shape = (efficientnet_lite.EMBEDDING + len(concepts.names),)
        parts = (YAMNET.sha256, EFFICIENTNET.sha256, concepts.digest, str(TEMPERATURE), str(EVIDENCE_FLOOR))
        self.identity = f"pretrained-2-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"
        self._own = threading.local()
        with _without_greeting():
            self._interpreter()

    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "..."]:
        """Return YAMNet's embedding of the first 15,600 samples, and the concepts in its scores."""
        embedding, scores = self._interpreter()(np.ascontiguousarray(sound[:YAMNET_SAMPLES])[None])
        return np.concatenate([embedding, self.prior.log_evidence("audio", scores)])

    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "..."]:
        """Return EfficientNet's embedding of the whole frame (what sounds may be at a side), and the concepts in it."""
        embedding, logits = self._efficientnet(frame)
        likely = np.exp((logits - logits.max()) / np.float32(TEMPERATURE))
        return np.concatenate([embedding, self.prior.log_evidence("visual", likely / likely.sum())])

    def _interpreter(self) -> _YamNet:
        if not hasattr(self._own, "yamnet"):
            self._own.yamnet = _YamNet(self._yamnet)
        return self._own.yamnet  # type: ignore[no-any-return]


class _YamNet:
    """One thread's interpreter."""

    def __init__(self, content: bytes) -> None:
        # The file returns class scores; the embedding is inside, the only tensor of shape (1, 1024).
        self._interpreter = _interpreter(content)
        inner = [
            t["index"] for t in self._interpreter.get_tensor_details() if tuple(t["shape"]) == (1, YAMNET_EMBEDDING)
        ]
        assert len(inner) == 1, "the pinned YAMNet has one tensor of that shape"
        self._embedding = inner[0]
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._scores = self._interpreter.get_output_details()[0]["index"]

    def __call__(
        self, patch: Float32[np.ndarray, "1 15600"]
    ) -> tuple[Float32[np.ndarray, "1024"], Float32[np.ndarray, "521"]]:
        """Return the embedding and the scores of the classes."""
        self._interpreter.set_tensor(self._input, patch)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._embedding)[0], self._interpreter.get_tensor(self._scores)[0]


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Keep the line that LiteRT prints once a process from standard error; pass on whatever else is printed.

    LiteRT 2.3 prints it from C++ and has no setting for it. Neither end of the pipe may block: a child that is forked
    meanwhile keeps it open.
    """
    reading, writing = os.pipe()
    stderr = os.dup(2)
    try:
        for end in (reading, writing):
            os.set_blocking(end, False)
        os.dup2(writing, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        with suppress(BlockingIOError):
            lines = os.read(reading, PIPE_BYTES).splitlines(keepends=True)
            os.write(2, b"".join(line for line in lines if GREETING not in line))
        for descriptor in (reading, writing, stderr):
            os.close(descriptor)


def _interpreter(content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise FrontEndError(
            "the front-end `pretrained` runs on LiteRT, which is not installed; "
            "install it with: python -m pip install ai-edge-litert"
        ) from error
    with warnings.catch_warnings():  # it warns that inner tensors cost memory: 17 MB here
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        interpreter = Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=True)
        interpreter.allocate_tensors()
    return interpreter
