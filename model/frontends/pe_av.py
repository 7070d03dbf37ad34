"""The `pe-av` front-ends: Meta's audio-visual Perception Encoder, sound, picture and text in one space.

Perception Encoder Audiovisual (Meta, 2025), through `transformers`: each second's sound by the audio tower, its frame
as a video by the video tower, words by the text tower. All embeddings are of unit length, in the space in which they
were trained to match.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from model.errors import FrontEndError, NotFinite, QueryError
from model.frontends.frontend import FrontEnd
from model.frontends.one_thread import one_thread
from model.frontends.pe_av_files import INSTALL, TOKENIZER, Preparation, digest, located
from model.media.segments import SAMPLE_RATE_HZ
from model.modality import Modality

PE_AV_RATE_HZ = 48_000


class PeAvFrontEnd(FrontEnd):
    """A unit vector for a second's sound, its picture or a text, in one space. It computes on the CPU."""

    shares_space = True

    def __init__(self, name: str, directory: Path) -> None:
        """Read the weights; they are found as `located` says.

        Raises:
            FrontEndError: they are absent or broken, `transformers` is, or their tokenizer.
        """
        path = located(name, directory)
        self.name, self.identity = name, f"{name}-{digest(path)}"
        self._preparation = Preparation.read(path)
        model = _loaded(path)
        self._audio, self._video, self._text = model.audio_model, model.video_model, model.text_model
        self._tokenizer, self._most_tokens = _tokenizer(path), int(model.config.text_config.max_position_embeddings)
        width = int(self._audio.audio_head.proj.out_features)
        self.audio_shape = self.visual_shape = (width,)

    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "D"]:
        """Return the embedding of a second of sound."""
        resampled = soxr.resample(sound, SAMPLE_RATE_HZ, PE_AV_RATE_HZ).astype(np.float32)
        with torch.inference_mode(), one_thread():
            pooled = self._audio.audio_encoder(torch.from_numpy(resampled)[None, None]).pooler_output
            return self._unit(self._audio.audio_head(pooled)[0], "sound")

    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "D"]:
        """Return the embedding of a frame, as a video of as many equal frames as the model is made for."""
        # PeAudioVideoModel.get_video_embeds of transformers 5.24 calls what its video model does not have.
        with torch.inference_mode(), one_thread():
            frames = pixels(frame, self._preparation).expand(1, self._preparation.frames, -1, -1, -1).contiguous()
            pooled = self._video.video_encoder(frames).pooler_output
            return self._unit(self._video.video_head(pooled)[0], "picture")

    def text(self, words: str, target: Modality) -> Float32[np.ndarray, "D"]:
        """Return the embedding of a text, by the head that was trained to match sounds or the one to match pictures.

        Raises QueryError: it has more tokens than the model reads.
        """
        tokens: list[int] = self._tokenizer.encode(words).ids
        if len(tokens) > self._most_tokens:
            raise QueryError(
                f"a text of {len(tokens)} tokens given, of which the front-end {self.name} reads {self._most_tokens}: "
                "write fewer words"
            )
        head = self._audio.text_audio_head if target == "audio" else self._video.text_video_head
        with torch.inference_mode(), one_thread():
            read = self._text(input_ids=torch.tensor([tokens]), output_hidden_states=True)
            return self._unit(head(read.hidden_states[-1][:, 0])[0], "text")

    def _unit(self, embedding: Tensor, part: str) -> Float32[np.ndarray, "D"]:
        length = float(embedding.norm())
        if not 0 < length < float("inf"):  # NaN is neither
            raise NotFinite(f"the front-end {self.name} gives the {part} an embedding that has no direction: {length}")
        return (embedding / length).numpy()


def pixels(frame: UInt8[np.ndarray, "height width 3"], preparation: Preparation) -> Tensor:
    """Return a frame as the model's own processor prepares it, float32 (3, height, width): the whole, squeezed."""
    size = (preparation.width_px, preparation.height_px)
    levels = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR), np.float32) / 255
    normal = (levels - np.array(preparation.mean, np.float32)) / np.array(preparation.deviation, np.float32)
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))


def _tokenizer(path: Path) -> Any:
    """Return the tokenizer of a model, read by the library that transformers reads it with; it asks no network."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path / TOKENIZER))
    except Exception as error:  # it raises no other kind
        raise FrontEndError(f"{path / TOKENIZER} cannot be read as a tokenizer ({error})") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()  # a text that is too long is refused, not cut
    return tokenizer


def _loaded(path: Path) -> Any:
    """Return a whole PeAudioVideoModel, in float32."""
    try:
        # transformers prints notes about its own docstrings to standard output, and draws bars, when a model is made.
        with contextlib.redirect_stdout(io.StringIO()):
            from transformers import PeAudioVideoModel
            from transformers.utils import logging

            bars = logging.is_progress_bar_enabled()
            logging.disable_progress_bar()
            try:
                model, report = PeAudioVideoModel.from_pretrained(
                    path, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
                )
            finally:
                if bars:
                    logging.enable_progress_bar()
    except ImportError as error:
        raise FrontEndError(
            f"the front-ends pe-av run on transformers and timm, of which one is not installed ({error}): {INSTALL}"
        ) from error
    except Exception as error:  # whatever a foreign file makes of it
        raise FrontEndError(f"{path} cannot be loaded as a PE-AV ({type(error).__name__}: {error})") from error
    if absent := sorted(report["missing_keys"]):
        raise FrontEndError(f"the weights in {path} lack {len(absent)} tensors, such as {absent[0]}: bring them anew")
    return model.eval()
