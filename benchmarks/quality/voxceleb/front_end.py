"""The features of the study of 2022: a spectrogram averaged over time, and a grey face of 23 x 23 pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from model.frontends.frontend import FrontEnd

BINS = 512
FFT_SAMPLES, HOP_SAMPLES = 2 * BINS, BINS // 2
FACE_PX = 23
FLOOR_POWER = 1e-6
WINDOW = np.hanning(FFT_SAMPLES).astype(np.float32)


class VoiceAndFace(FrontEnd):
    """Take log10 of the power of 512 bins up to 8 kHz, averaged over the second, and the grey face in [0, 1], flat.

    The face is flat because the network halves pictures four times, and 23 is no multiple of 16.
    """

    name = "voice-and-face"
    identity = "voice-and-face-1"
    audio_shape = (BINS,)
    visual_shape = (FACE_PX * FACE_PX,)

    def audio(self, sound: Float32[np.ndarray, "16000"]) -> Float32[np.ndarray, "512"]:
        """Return the averaged spectrum without its bin at 0 Hz, in bel."""
        frames = np.lib.stride_tricks.sliding_window_view(sound, FFT_SAMPLES)[::HOP_SAMPLES]
        power = np.square(np.abs(np.fft.rfft(frames * WINDOW, axis=1))).mean(axis=0)[1:]
        return np.asarray(np.log10(power + FLOOR_POWER), np.float32)

    def visual(self, frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "529"]:
        """Return the square in the middle of a frame, reduced by area averaging."""
        height, width = frame.shape[:2]
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        square = Image.fromarray(frame).crop((left, top, left + side, top + side)).convert("L")
        small = square.resize((FACE_PX, FACE_PX), Image.Resampling.BOX)
        return np.asarray(small, np.float32).ravel() / 255
