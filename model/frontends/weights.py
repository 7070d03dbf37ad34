"""The pretrained weights: which files, from where, and the checksums that pin them."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.errors import FrontEndError

DOWNLOAD_TIMEOUT_S = 60


@dataclass(frozen=True)
class WeightsFile:
    """Pin one file: its name, its home, its bytes."""

    file_name: str
    url: str
    sha256: str


YAMNET = WeightsFile(
    "yamnet.tflite",
    "https://storage.googleapis.com/ai-edge/interpreter-samples/audio_classification/ios/yamnet.tflite",
    "469be6a3421cbc52cf97e9f2f966cba984198e8e7af9854d68b3e3ebb1e04194",
)
MOBILENET = WeightsFile(
    "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    "https://raw.githubusercontent.com/google-coral/test_data/master/"
    "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    "f409ef4f73fcbb9667841965623c5c8524aac33d41b9bf5f3667161fb4a76319",
)
PRETRAINED = (YAMNET, MOBILENET)


def pull(into: Path, source: Path | None = None, report: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Fill the directory `into` from the directory `source`, or from the projects' own homes without one.

    A file counts only once its checksum is right; it appears under its name in one step, so that an
    interrupted pull leaves nothing behind that could be taken for weights.

    Raises:
        FrontEndError: a file is missing at the source, cannot be fetched, or is not the pinned one.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FrontEndError(f"{into} given, a directory to write to expected ({error.strerror})") from error
    return [_pull_one(weights, into, source, report) for weights in PRETRAINED]


def verified(directory: Path, weights: WeightsFile) -> bytes:
    """Return the file's bytes if they are the pinned ones.

    Raises:
        FrontEndError: the file is absent or its checksum differs.
    """
    path = directory / weights.file_name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FrontEndError(
            f"the weights {weights.file_name} are not in {directory} ({error.strerror}); "
            "fetch them with: echolens frontends pull [--from DIR] --library DIR"
        ) from error
    _check(content, weights, str(path))
    return content


def _pull_one(weights: WeightsFile, into: Path, source: Path | None, report: Callable[[str], None]) -> Path:
    target = into / weights.file_name
    partial = target.with_suffix(".partial")
    origin = str(source / weights.file_name) if source else weights.url
    report(origin)
    try:
        if source:
            shutil.copyfile(origin, partial)
        else:
            with (
                urllib.request.urlopen(origin, timeout=DOWNLOAD_TIMEOUT_S) as answer,
                partial.open("wb") as out,
            ):
                shutil.copyfileobj(answer, out)
        _check(partial.read_bytes(), weights, origin)
        os.replace(partial, target)
    except (OSError, http.client.HTTPException) as error:
        raise FrontEndError(
            f"{origin} cannot be fetched ({error}); "
            f"place {weights.file_name} in a directory and name it with --from DIR"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _check(content: bytes, weights: WeightsFile, origin: str) -> None:
    given = hashlib.sha256(content).hexdigest()
    if given != weights.sha256:
        raise FrontEndError(
            f"{origin} has the SHA-256 {given[:12]}…, expected {weights.sha256[:12]}…: "
            f"it is not the {weights.file_name} that Echolens was measured with"
        )
