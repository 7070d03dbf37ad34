"""Is a library sound? The catalogue and the files, and beside them what the model and the front-end need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from app.library.session import Session
from index.check import Finding, check_catalogue, check_media, check_orphans, named
from index.library import Library
from model.data.features import UNREADABLE, Features
from model.errors import EmptyLibrary, FrontEndError, Mismatch, UntrainedLibrary
from model.frontends.registry import make_front_end
from model.media.medium import DECODING


def check(directory: Path, media: bool, step: Callable[[], None] = lambda: None) -> list[Finding]:
    """Return what is wrong with a library, without changing it; `media` reads every original and hashes it.

    Raises LibraryError where there is no library, or one of a newer release.
    """
    with Library.inspect(directory) as library:
        findings = list(check_catalogue(library.directory))
        if not any(finding.code in ("damaged", "old_schema") for finding in findings):
            findings += [
                *_check_model(library),
                *_check_cache(library),
                *_check_reading(library),
                *check_media(library, media, step),
                *check_orphans(library),
            ]
    return findings


def _check_reading(library: Library) -> Iterator[Finding]:
    """Say which videos were not read to their end, went missing, or were decoded by an older release."""
    videos = list(library.catalogue.every_video())
    groups = (
        (
            "incomplete",
            [v.file_name for v in videos if not v.complete],
            "Videos have not been read to their end: {}. They are being taken in right now, or that was cut off: "
            "ingest their files again, it goes on where it was.",
        ),
        (
            "missing",
            [v.file_name for v in videos if v.missing],
            "Videos are not searched, since their files went missing: {}. Put the files back and ingest them again, or "
            "delete the videos.",
        ),
        (
            "older_decoding",
            [v.file_name for v in videos if v.decoding < DECODING],
            "Videos were decoded by the rules of an older release: {}. They are found as before. To read them by "
            "today's rules ingest their files again: echolens ingest PATH",
        ),
    )
    for code, names, text in groups:
        if names:
            yield Finding(code, "remark", text.format(named(names)), tuple(names))


def _check_model(library: Library) -> Iterator[Finding]:
    """Load the front-end and the checkpoint as serving does."""
    name = library.catalogue.frontend
    if name is None:
        return
    try:
        _ = Session(library, torch.device("cpu"), make=partial(make_front_end, keep=False)).encoder
    except FrontEndError as error:
        yield Finding("front_end", "fault", f"The front-end cannot be used: {error}.", (name,))
    except Mismatch as error:
        yield Finding(
            "checkpoint", "fault", f"The model cannot be used: {error}.", (str(library.catalogue.fingerprint),)
        )
    except (EmptyLibrary, UntrainedLibrary) as error:
        yield Finding("untrained", "remark", f"Nothing can be searched: {error}.")


def _check_cache(library: Library) -> Iterator[Finding]:
    unreadable = []
    for path in sorted(library.cache.glob("features/*/*.npz")):
        try:
            Features.load(path)
        except UNREADABLE:
            unreadable.append(str(path.relative_to(library.directory)))
    if unreadable:
        yield Finding(
            "unreadable_features",
            "remark",
            f"Features cannot be read: {named(unreadable)}. They are made again from the originals when needed.",
            tuple(unreadable),
        )
