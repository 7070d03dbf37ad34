"""The files of a PE-AV: where they lie, which bytes they have, how its pictures are prepared. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from model.errors import FrontEndError

# `pe-av` is whatever lies in the library's directory; the others are also found in the cache of Hugging Face's hub.
REPOSITORIES: dict[str, str | None] = {
    "pe-av-small": "facebook/pe-av-small",
    "pe-av-base": "facebook/pe-av-base",
    "pe-av-large": "facebook/pe-av-large",
    "pe-av": None,
}
CONFIGURATION = "config.json"
VIDEO_CONFIGURATION = "video_preprocessor_config.json"
TOKENIZER = "tokenizer.json"
INSTALL = "python -m pip install 'echolens[peav]'"


def located(name: str, directory: Path) -> Path:
    """Return where the model of a name lies: in `directory / name`, else in the hub's cache.

    Raises:
        FrontEndError: in neither, and how to bring it; or transformers is not installed.
    """
    own, repository = directory / name, REPOSITORIES[name]
    if find_spec("transformers") is None:
        raise FrontEndError(f"the front-end {name} runs on transformers, which is not installed: {INSTALL}")
    if (own / CONFIGURATION).is_file():
        return own
    if repository is None:
        raise FrontEndError(
            f"the front-end {name} reads a PE-AV of your own from {own}, where no {CONFIGURATION} is: copy or link one "
            "there"
        )
    if (cached := _in_cache(repository)) is not None:
        return cached
    raise FrontEndError(
        f"the weights of the front-end {name} are neither in {own} nor in the cache of Hugging Face's hub; they are "
        f"large, so you fetch them yourself: hf download {repository} --local-dir {own}"
    )


def digest(path: Path) -> str:
    """Return 12 hex digits of the SHA-256 of the weights, of what says how they are used, and of the tokenizer.

    Raises:
        FrontEndError: there are no weights, or one of the files cannot be read.
    """
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise FrontEndError(f"{path} has no weights, *.safetensors expected; other kinds of weights are not read")
    whole = hashlib.sha256()
    try:
        for file in (*weights, *(path / name for name in (CONFIGURATION, VIDEO_CONFIGURATION, TOKENIZER))):
            with file.open("rb") as content:
                whole.update(hashlib.file_digest(content, "sha256").digest())
    except OSError as error:
        raise FrontEndError(f"{error.filename} cannot be read ({error.strerror}); a whole PE-AV expected") from error
    return whole.hexdigest()[:12]


@dataclass(frozen=True)
class Preparation:
    """Say how the processor of a PE-AV prepares a frame."""

    width_px: int
    height_px: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    frames: int  # of a video; what is given is repeated

    @staticmethod
    def read(path: Path) -> Preparation:
        """Read a model's own configuration; one for any number of frames gets one.

        Raises:
            FrontEndError: it cannot be read, or asks for more than to resize, to rescale and to normalize.
        """
        file = path / VIDEO_CONFIGURATION
        try:
            given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            mean, deviation = (tuple(map(float, given[key])) for key in ("image_mean", "image_std"))
            made = Preparation(
                int(given["size"]["width"]), int(given["size"]["height"]), mean, deviation, given.get("num_frames") or 1
            )
            steps = [given.get(key) for key in ("do_resize", "do_rescale", "do_normalize")]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FrontEndError(
                f"{file} cannot be used ({type(error).__name__}: {error}); size, image_mean and image_std expected"
            ) from error
        if not all(steps) or given.get("do_center_crop") or len(mean) != 3 or len(deviation) != 3:
            raise FrontEndError(f"{file} prepares frames another way than resize, rescale and normalize: not supported")
        return made


def _in_cache(repository: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
