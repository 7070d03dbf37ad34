"""How far apart are features that only rounding tells apart? Known inputs of front-ends, computed by other kernels.

    python -m benchmarks.quality.front_end_rounding --weights FRONTENDS

`pretrained` with LiteRT's own kernels in place of XNNPACK's, and without oneDNN; `raw` in float64. Relative to length.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert import interpreter as litert

from model.frontends.contract import probe_pictures, probe_sounds
from model.frontends.pretrained import YAMNET_EMBEDDING, YAMNET_SAMPLES, PretrainedFrontEnd
from model.frontends.raw import RawFrontEnd
from model.frontends.weights import YAMNET, verified


def apart(found: np.ndarray, usual: np.ndarray) -> str:
    """Return the length of the difference in parts of the usual one's."""
    return f"{np.linalg.norm(found - usual) / np.linalg.norm(usual):.1e}"


def main() -> None:
    """Print a line for each part of each front-end."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="a library's frontends/, with the weights")
    directory = parser.parse_args().weights
    front_end, sounds, pictures = PretrainedFrontEnd(directory), probe_sounds(), probe_pictures()
    heard, seen = [front_end.audio(sound) for sound in sounds], [front_end.visual(picture) for picture in pictures]
    print("two known sounds, two known pictures of pretrained:", apart(*heard), apart(*seen))
    plain = [plain_row(front_end, verified(directory, YAMNET), sound) for sound in sounds]
    print("pretrained, sounds, without XNNPACK:", *map(apart, plain, heard))
    with torch.backends.mkldnn.flags(enabled=False):
        print("pretrained, pictures, without oneDNN:", *map(apart, map(front_end.visual, pictures), seen))
    print("raw, sounds, in float64:", *(apart(raw_row(sound), RawFrontEnd().audio(sound)) for sound in sounds))


def plain_row(front_end: PretrainedFrontEnd, content: bytes, sound: np.ndarray) -> np.ndarray:
    """Return the features of a sound by LiteRT's own kernels."""
    kernels = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter: Any = litert.Interpreter(
        model_content=content, experimental_op_resolver_type=kernels, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sound[None, :YAMNET_SAMPLES])
    interpreter.invoke()
    inner = [t["index"] for t in interpreter.get_tensor_details() if tuple(t["shape"]) == (1, YAMNET_EMBEDDING)]
    embedding = interpreter.get_tensor(inner[0])[0]
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return np.concatenate([embedding, front_end.prior.log_evidence("audio", scores)])


def raw_row(sound: np.ndarray) -> np.ndarray:
    """Return the features of a sound by `raw` in float64."""
    front_end = RawFrontEnd()
    front_end._bank, front_end._window = front_end._bank.double(), front_end._window.double()
    return front_end.audio(sound.astype(np.float64))


if __name__ == "__main__":
    main()
