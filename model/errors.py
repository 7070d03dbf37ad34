"""Every error that Echolens raises on purpose.

EcholensError
├── MediaError                 the file cannot be used
│   ├── EmptyFile              no bytes
│   ├── NotAMedium             no decoder recognises the bytes
│   ├── Damaged                recognised, but cut short or corrupt
│   ├── TooLarge               too many bytes or pixels
│   ├── TooSmall               a picture under 16 pixels on a side
│   ├── TooLong                too many seconds
│   ├── TooShort               under half a second
│   ├── TookTooLong            decoding ran past its time limit
│   ├── NoSoundTrack           sound was asked for, there is none
│   ├── NoPicture              a picture was asked for, there is none
│   ├── Silent                 sound under the level that gives a latent
│   └── NotFinite              samples that are NaN or infinite
├── QueryError                 the question cannot be answered as asked
├── FrontEndError              weights absent or not the pinned ones
├── ArchiveError               a feature archive that breaks its layout
├── CheckpointError            a checkpoint that is absent, corrupt or foreign
├── TrainingError              too little footage, or a run that cannot be resumed
├── FigureError                a picture that cannot be drawn or written
└── LibraryError               a library that cannot serve
    ├── EmptyLibrary           nothing to search
    ├── UntrainedLibrary       no model has encoded it yet
    ├── Mismatch               encoded by another checkpoint
    ├── NotFound               no such video, segment or job
    ├── LibraryBusy            another process writes to it
    └── NothingLabelled        a measurement that needs labels
"""

from __future__ import annotations

from typing import ClassVar


class EcholensError(Exception):
    """Say what was given, what was expected and what to do; `code` names the kind for programs."""

    code: ClassVar[str] = "error"


class MediaError(EcholensError):
    code = "media"


class EmptyFile(MediaError):
    code = "empty_file"


class NotAMedium(MediaError):
    code = "not_a_medium"


class Damaged(MediaError):
    code = "damaged"


class TooLarge(MediaError):
    code = "too_large"


class TooSmall(MediaError):
    code = "too_small"


class TooLong(MediaError):
    code = "too_long"


class TooShort(MediaError):
    code = "too_short"


class TookTooLong(MediaError):
    code = "took_too_long"


class NoSoundTrack(MediaError):
    code = "no_sound_track"


class NoPicture(MediaError):
    code = "no_picture"


class Silent(MediaError):
    code = "silent"


class NotFinite(MediaError):
    code = "not_finite"


class QueryError(EcholensError):
    code = "query"


class FrontEndError(EcholensError):
    code = "front_end"


class ArchiveError(EcholensError):
    code = "archive"


class CheckpointError(EcholensError):
    code = "checkpoint"


class TrainingError(EcholensError):
    code = "training"


class FigureError(EcholensError):
    code = "figure"


class LibraryError(EcholensError):
    code = "library"


class EmptyLibrary(LibraryError):
    code = "empty_library"


class UntrainedLibrary(LibraryError):
    code = "untrained_library"


class Mismatch(LibraryError):
    code = "checkpoint_mismatch"


class NotFound(LibraryError):
    code = "not_found"


class LibraryBusy(LibraryError):
    code = "library_busy"


class NothingLabelled(LibraryError):
    code = "nothing_labelled"
