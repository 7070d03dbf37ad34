"""Every error that Echolens raises on purpose.

EcholensError
├── MediaError                 the file cannot be used
│   ├── EmptyFile              no bytes
│   ├── NotAMedium             no decoder recognises the bytes
│   ├── NotReadable            the rights or the disk do not let it be read
│   ├── Changing               it changed while it was read
│   ├── Damaged                recognised, but cut short or corrupt
│   ├── TooLarge               too many bytes or pixels
│   ├── TooSmall               a picture under 16 pixels on a side
│   ├── TooLong                too many seconds
│   ├── TooShort               under half a second
│   ├── TookTooLong            reading a file or text ran past its time limit
│   ├── TooMuchMemory          reading a file or text ran past its memory limit
│   ├── DecoderDied            the process that read a file or text ended
│   ├── NoSoundTrack           sound was asked for, there is none
│   ├── NoPicture              a picture was asked for, there is none
│   ├── Silent                 sound under the level that gives a latent
│   └── NotFinite              samples or features that are NaN or infinite
├── QueryError                 the question cannot be answered as asked
│   ├── NotAcceptable          the answer cannot be given in the form asked for
│   ├── UnknownWord            a word of a text names nothing that a front-end knows
│   ├── BadCursor              a cursor that was not given out, or for another list
│   └── IdempotencyKeyReused   the key came before, with other content
├── NotAllowed                 no setting allows it
│   └── PathsHidden            a directory was asked for by one who is told no paths
├── WorkerFailure              no process that decodes can be started
├── DeviceError                the GPU failed, or cannot be used
│   └── DeviceMemoryShort      the GPU has too little free memory
├── PastDeadline               no answer within the time limit of a request
├── SlowBody                   the body of a request comes too slowly
├── ClientGone                 the client hung up before it had an answer
├── FrontEndError              weights absent or not the pinned ones, or wrong features
├── ArchiveError               a feature archive that breaks its layout
├── DatasetError               a data set of which nothing can be read
├── CheckpointError            a checkpoint that is absent, corrupt or foreign
├── TrainingError              too little footage, or a run that cannot be resumed
├── FigureError                a picture that cannot be drawn or written
└── LibraryError               a library that cannot serve
    ├── NotReady               a part of the service does not work
    ├── EmptyLibrary           nothing to search
    │   └── Unmappable         too few items for a map, or all alike
    ├── UntrainedLibrary       no model has encoded it yet
    ├── Mismatch               encoded by another checkpoint
    │   └── LibraryChanged     encoded anew while a question was on its way
    ├── OriginalsGone          files that are to be read again are gone
    ├── NotFound               no such video, segment or job
    ├── LibraryBusy            another process writes to it
    │   ├── CursorExpired      the list changed before the cursor
    │   ├── MapBusy            too many wait for a map
    │   └── MeasureBusy        too many wait for a measurement
    ├── NothingToMeasure       fewer than two videos with sound and picture
    │   └── NothingLabelled    a measurement that needs labels
    ├── JobEnded               the job has ended, or is not one to retry
    ├── NotRetryable           a failed job whose upload is gone
    ├── TrainingRuns           one training at a time
    └── QueueFull              the most jobs that may wait do wait
"""

from __future__ import annotations

from typing import ClassVar


class EcholensError(Exception):
    """Say what was given, what was expected and what to do; app/http/error_codes.py has a row for each `code`."""

    code: ClassVar[str] = "error"


class MediaError(EcholensError):
    code = "media"


class EmptyFile(MediaError):
    code = "empty_file"


class NotAMedium(MediaError):
    code = "not_a_medium"


class NotReadable(MediaError):
    code = "not_readable"


class Changing(MediaError):
    code = "changing"


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


class TooMuchMemory(MediaError):
    code = "too_much_memory"


class DecoderDied(MediaError):
    code = "decoder_died"


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


class UnknownWord(QueryError):
    code = "unknown_word"


class BadCursor(QueryError):
    code = "cursor"


class IdempotencyKeyReused(QueryError):
    code = "idempotency_key_reused"


class NotAllowed(EcholensError):
    code = "outside_roots"


class PathsHidden(NotAllowed):
    code = "paths_hidden"


class NotAcceptable(QueryError):
    code = "not_acceptable"


class WorkerFailure(EcholensError):
    code = "worker_failure"
    retry_after_s: ClassVar[float] = 5.0


class DeviceError(EcholensError):
    code = "device"
    retry_after_s: ClassVar[float] = 5.0  # about what a new process takes to stand


class DeviceMemoryShort(DeviceError):
    code = "device_memory"


class PastDeadline(EcholensError):
    code = "deadline"


class SlowBody(EcholensError):
    code = "slow_body"


class ClientGone(EcholensError):
    code = "gone"


class FrontEndError(EcholensError):
    code = "front_end"


class ArchiveError(EcholensError):
    code = "archive"


class DatasetError(EcholensError):
    code = "dataset"


class CheckpointError(EcholensError):
    code = "checkpoint"


class TrainingError(EcholensError):
    code = "training"


class FigureError(EcholensError):
    code = "figure"


class LibraryError(EcholensError):
    code = "library"


class NotReady(LibraryError):
    code = "not_ready"


class EmptyLibrary(LibraryError):
    code = "empty_library"


class Unmappable(EmptyLibrary):
    code = "unmappable"


class UntrainedLibrary(LibraryError):
    code = "untrained_library"


class Mismatch(LibraryError):
    code = "checkpoint_mismatch"


class LibraryChanged(Mismatch):
    """`front_end`: the one whose features the model that serves now takes, where that is what changed."""

    code = "library_changed"
    retry_after_s: ClassVar[float] = 1.0

    def __init__(self, message: str, front_end: str | None = None) -> None:
        super().__init__(message, front_end)  # both, so that it can be pickled
        self.front_end = front_end

    def __str__(self) -> str:
        return str(self.args[0])


class OriginalsGone(LibraryError):
    """`file_names`: the videos that cannot be read again."""

    code = "originals_gone"

    def __init__(self, message: str, file_names: tuple[str, ...]) -> None:
        super().__init__(message, file_names)
        self.file_names = file_names

    def __str__(self) -> str:
        return str(self.args[0])


class NotFound(LibraryError):
    code = "not_found"


class LibraryBusy(LibraryError):
    code = "library_busy"


class CursorExpired(LibraryBusy):
    code = "cursor_expired"


class MapBusy(LibraryBusy):
    code = "map_busy"
    retry_after_s: ClassVar[float] = 20.0  # about what the largest map takes


class MeasureBusy(LibraryBusy):
    code = "measure_busy"
    retry_after_s: ClassVar[float] = 10.0


class NothingToMeasure(LibraryError):
    code = "nothing_to_measure"


class NothingLabelled(NothingToMeasure):
    code = "nothing_labelled"


class JobEnded(LibraryError):
    code = "job_ended"


class NotRetryable(LibraryError):
    code = "not_retryable"


class TrainingRuns(LibraryError):
    code = "training_runs"


class QueueFull(LibraryError):
    code = "queue_full"
    retry_after_s: ClassVar[float] = 30.0
