"""The published weights of `paper`: which files, where they are published, and the checksums that pin them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from model.errors import FrontEndError

DIRECTORY = "paper"  # of a library's `frontends/`


@dataclass(frozen=True)
class PublishedFile:
    """Pin a file by the checksum that was published with it, or by the beginning of one."""

    file_name: str
    url: str
    algorithm: str
    checksum: str


VGGISH = PublishedFile(
    "vggish-10086976.pth",
    "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
    "sha256",
    "10086976",
)
VGG19 = PublishedFile(
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "md5",
    "253f8cb515780f3b799900260a226db6",
)


def has_published(directory: Path) -> bool:
    """Say whether the files are in `directory / "paper"`; they are not checked."""
    return all((directory / DIRECTORY / file.file_name).is_file() for file in (VGGISH, VGG19))


def read_published(directory: Path, file: PublishedFile) -> bytes:
    """Return the bytes of a published file.

    Raises:
        FrontEndError: it is absent, or its checksum differs.
    """
    path = directory / file.file_name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FrontEndError(
            f"the weights {file.file_name} are not in {directory} ({error.strerror}); fetch them from {file.url}"
        ) from error
    given = hashlib.new(file.algorithm, content, usedforsecurity=False).hexdigest()
    if not given.startswith(file.checksum):
        raise FrontEndError(
            f"{path} has the {file.algorithm} {given[: len(file.checksum)]}, {file.checksum} expected: it is not the "
            f"published one; fetch it again from {file.url}"
        )
    return content
