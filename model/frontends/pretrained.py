"""The `pretrained` front-end: YAMNet and MobileNet embeddings through LiteRT."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from model.errors import FrontEndError
from model.frontends.frontend import FrontEnd
from model.frontends.weights import MOBILENET, YAMNET, verified

YAMNET_SAMPLES = 15_600  # one patch of 0.975 s
MOBILENET_PX = 224
EMBEDDING = 1024
GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
PIPE_BYTES = 65_536


class PretrainedFrontEnd(FrontEnd):
    """YAMNet's 1024 numbers for a sound, MobileNet v1's 1024 for a frame (both Apache-2.0).

    An interpreter serves one thread at a time, so each thread makes its own from the shared bytes.
    """

    name = "pretrained"
    audio_shape = (EMBEDDING,)
    visual_shape = (EMBEDDING,)

    def __init__(self, directory: Path) -> None:
        """Read and check the weights in `directory`.

        Raises:
            FrontEndError: weights absent or not the pinned ones, or the `litert` extra is not installed.
        """
        self._yamnet = verified(directory, YAMNET)
        self._mobilenet = verified(directory, MOBILENET)
        digest = hashlib.sha256(self._yamnet + self._mobilenet).hexdigest()
        self.identity = f"pretrained-1-{digest[:12]}"
        self._own = threading.local()
        with _without_greeting():
            self._interpreters()

    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "1024"]:
        """Return YAMNet's embedding of the first 15,600 samples."""
        return self._interpreters().yamnet(np.ascontiguousarray(sound[:YAMNET_SAMPLES])[None])

    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "1024"]:
        """Return MobileNet's embedding of the whole frame, squeezed: what sounds may be at a side."""
        small = Image.fromarray(frame).resize((MOBILENET_PX, MOBILENET_PX), Image.Resampling.BILINEAR)
        return self._interpreters().mobilenet(np.asarray(small)[None])

    def _interpreters(self) -> _Interpreters:
        if not hasattr(self._own, "interpreters"):
            self._own.interpreters = _Interpreters(self._yamnet, self._mobilenet)
        return self._own.interpreters  # type: ignore[no-any-return]


class _Interpreters:
    """One thread's pair of interpreters."""

    def __init__(self, yamnet: bytes, mobilenet: bytes) -> None:
        # YAMNet's file returns class scores; the embedding is inside, the only tensor of shape (1, 1024).
        self._yamnet = _interpreter(yamnet, inner_tensors=True)
        inner = [t["index"] for t in self._yamnet.get_tensor_details() if tuple(t["shape"]) == (1, EMBEDDING)]
        assert len(inner) == 1, "the pinned YAMNet has one tensor of that shape"
        self._embedding = inner[0]
        self._mobilenet = _interpreter(mobilenet, inner_tensors=False)

    def yamnet(self, patch: Float32[np.ndarray, "1 15600"]) -> Float32[np.ndarray, "1024"]:
        self._yamnet.set_tensor(self._yamnet.get_input_details()[0]["index"], patch)
        self._yamnet.invoke()
        embedding: Float32[np.ndarray, "1024"] = self._yamnet.get_tensor(self._embedding)[0]
        return embedding

    def mobilenet(self, picture: UInt8[np.ndarray, "1 224 224 3"]) -> Float32[np.ndarray, "1024"]:
        self._mobilenet.set_tensor(self._mobilenet.get_input_details()[0]["index"], picture)
        self._mobilenet.invoke()
        output = self._mobilenet.get_output_details()[0]
        scale, zero = output["quantization"]
        levels = self._mobilenet.get_tensor(output["index"]).reshape(EMBEDDING)
        return np.asarray(np.float32(scale) * (levels.astype(np.float32) - np.float32(zero)), np.float32)


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


def _interpreter(content: bytes, inner_tensors: bool) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise FrontEndError(
            "the front-end `pretrained` runs on LiteRT, which is not installed; add the extra: "
            "pip install 'echolens[litert]'"
        ) from error
    with warnings.catch_warnings():  # it warns that inner tensors cost memory: 17 MB here
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        interpreter = Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=inner_tensors)
        interpreter.allocate_tensors()
    return interpreter
