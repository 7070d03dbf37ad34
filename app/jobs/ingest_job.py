"""Ingest jobs: an upload, or a directory of the server; a directory is resumed after its last finished file."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from app.jobs.ingest_roots import IngestRoots
from app.jobs.runner import Ended, RunningJob
from app.library.examined import Sorted, sort_out, sort_out_news, stamp_of
from app.library.ingest import Outcome, Source, ingest
from app.library.labels import of_files, read_labels
from app.library.listing import NO_MEDIA, Listed, Listing, PassedOver, refusal
from app.library.missing import mark_back, mark_gone, report, report_back
from app.library.names import is_named_as_medium, is_shared_ending
from app.library.session import Session
from app.library.videos import delete_video
from index.records import Job, JobMessage
from model.data.corpus import Annotation
from model.errors import LibraryBusy, LibraryError, NotAllowed, NotReadable, QueryError, WorkerFailure
from model.media.medium import FOOTAGE, Limits

BUSY_RETRY_S = 2.0
GIVE_WAY_S = 0.2
STATES = ("added", "known", "failed")


def upload_payload(
    reference: str, file_name: str, annotation: Annotation, audio_track: int | None = None
) -> dict[str, Any]:
    """Return the payload of an upload's job; `reference` names the file as `Library.reference` does."""
    return {
        "path": reference,
        "file_name": file_name,
        "label": annotation.label,
        "event_start_s": annotation.event_start_s,
        "event_end_s": annotation.event_end_s,
        "audio_track": audio_track,
    }


class IngestWork:
    """Do ingest jobs; release the library's writer lock while `writer_wanted` is set, also within a long file."""

    kind: ClassVar[str] = "ingest"

    def __init__(
        self,
        session: Session,
        roots: tuple[Path, ...],
        writer_wanted: threading.Event,
        limits: Limits = FOOTAGE,
        settle_s: float = 0.0,
    ) -> None:
        """`settle_s`: how long a file that a watch found must stay as it is before it is read."""
        self._session, self._writer_wanted, self._limits = session, writer_wanted, limits
        self._settle_s = settle_s
        self.roots = IngestRoots(roots, session.library.directory.resolve())

    def do(self, running: RunningJob) -> Ended | None:
        """Ingest an upload or a directory."""
        return self._directory(running) if "directory" in running.job.payload else self._upload(running)

    def tidy(self, job: Job) -> None:
        """Remove an upload that became no whole video, unless its job failed for another reason than the file."""
        reference = job.payload.get("path")
        if reference is None or (job.state == "failed" and job.result.get("state") != "failed"):
            return
        library = self._session.library
        path = library.locate(reference)
        for video in library.catalogue.videos_of(library.reference(path)):
            if job.state == "cancelled" and not video.complete:
                delete_video(library, video.video_id)
        if not library.catalogue.names_file(library.reference(path)):
            path.unlink(missing_ok=True)

    def _upload(self, running: RunningJob) -> Ended | None:
        payload = running.job.payload
        annotation = Annotation("", payload["label"], payload["event_start_s"], payload["event_end_s"])
        path = self._session.library.locate(payload["path"])
        source = Source(path, payload["file_name"], annotation, uploaded=True, audio_track=payload.get("audio_track"))
        outcomes: list[Outcome] = []
        if not self._take_in(running, [source], outcomes.append):
            return None
        (outcome,) = outcomes
        result = {name: getattr(outcome, name) for name in ("state", "video_id", "note", "code", "detail")}
        messages = (*_messages(payload["file_name"], outcome), *self._warnings())
        return Ended("failed" if outcome.state == "failed" else "done", result, messages)

    def _directory(self, running: RunningJob) -> Ended | None:
        payload = running.job.payload
        watched = payload.get("watched", False)
        if watched and not os.path.isdir(payload["directory"]):  # its disk has left: the watch waits for it
            return Ended("done", dict.fromkeys(("files", *STATES), 0))
        directory = self.roots.real_path(payload["directory"])  # checked again: the setting or a link may have changed
        labels = payload["labels"]
        given = {} if labels is None else read_labels(self.roots.real_path(labels))
        listing = self.roots.list(directory)
        if not (watched or listing.files or listing.outside or listing.unreadable):
            raise QueryError(f"no file found at {directory}; name a directory of media, or a file")
        annotations, unused = of_files(given, listing.files)
        if "after" not in payload:
            self._begin(running, directory, listing, unused)
        return self._go_on(running, directory, listing, annotations)

    def _begin(self, running: RunningJob, directory: Path, listing: Listing, unused: list[Path]) -> None:
        """Report once what is not read, and labels without a file; a watch says of neither anything new."""
        if running.job.payload.get("watched"):
            running.report(0.0, dict.fromkeys(STATES, 0), running.job.payload | {"after": "", "passed": []})
            return
        messages = [
            JobMessage(
                _name(path, directory),
                NotAllowed.code,
                "a link out of the directories that ECHOLENS_INGEST_ROOTS names given, a file in them expected",
            )
            for path in listing.outside
        ]
        for path, reason in listing.unreadable:
            name = _name(path, directory)
            messages.append(JobMessage(name, NotReadable.code, refusal(name, reason)))
        failed = len(messages)
        if unused:
            text = f"{len(unused)} labelled files are not among those found, such as {_printable(unused[0].name)}"
            messages.append(JobMessage("", None, text))
        result = dict.fromkeys(STATES, 0) | {"failed": failed}
        running.report(0.0, result, running.job.payload | {"after": "", "passed": []}, messages)

    def _go_on(
        self, running: RunningJob, directory: Path, listing: Listing, annotations: dict[Path, Annotation]
    ) -> Ended | None:
        payload = running.job.payload
        tally, after = _Tally(running.result, payload.get("passed", [])), payload.get("after")
        left = [f for f in listing.files if not after or f.path.relative_to(directory) > Path(after)]
        track = payload.get("audio_track")
        sources = [
            Source(f.real, f.path.name, annotations.get(f.path), listed=not f.named, audio_track=track) for f in left
        ]
        if payload.get("watched"):
            found = self._settled(running, sources)
            if found is None:
                return None
        else:
            found = sort_out(self._session.library, sources)
        reading = {source.path for source in found.to_read}
        if payload.get("watched"):
            left = [f for f in left if f.real in reading]
        files = iter(left)
        tally.expected = sum(map(_may_be_footage, left))

        def count_known() -> Listed | None:
            """Count the files that are known, up to the next one that is read."""
            for listed in files:
                if listed.real in reading:
                    return listed
                tally.count(listed.path.name, Outcome(listed.real, "known"), _may_be_footage(listed))
            return None

        def done(outcome: Outcome) -> None:
            listed = count_known()
            assert listed is not None
            tally.count(listed.path.name, outcome, _may_be_footage(listed))
            running.report(
                tally.progress,
                tally.result,
                payload | {"after": str(listed.path.relative_to(directory)), "passed": tally.passed},
                _messages(_name(listed.path, directory), outcome),
            )

        if not self._take_in(running, found.to_read, done):
            return None
        count_known()
        return Ended(
            "done", tally.result, (*self._told(running, directory, listing, tally, found.back), *self._warnings())
        )

    def _settled(self, running: RunningJob, sources: Sequence[Source]) -> Sorted | None:
        """Return what is new and stays as it is for a while; None if the job must stop."""
        stamps = [stamp_of(source.path) for source in sources]
        found = sort_out_news(self._session.library, sources, stamps)
        before = {source.path: stamp for source, stamp in zip(sources, stamps, strict=True)}
        if found.to_read and running.wait(self._settle_s):
            return None
        return replace(found, to_read=tuple(s for s in found.to_read if stamp_of(s.path) == before[s.path]))

    def _told(
        self, running: RunningJob, directory: Path, listing: Listing, tally: _Tally, back: Sequence[str]
    ) -> Iterator[JobMessage]:
        """Yield what was passed over, and what is there again or gone."""
        passed = PassedOver() if running.job.payload.get("watched") else listing.passed
        if tally.passed:
            number, example = tally.passed
            passed.count(NO_MEDIA, example, number)
        if found_again := mark_back(self._session.library, back):
            yield JobMessage("", None, report_back(found_again))
        if line := str(passed):
            yield JobMessage("", None, line)
        if gone := mark_gone(self._session.library, [directory] if os.path.isdir(directory) else []):
            yield JobMessage("", None, report(gone))

    def _warnings(self) -> tuple[JobMessage, ...]:
        """Return what answers over this footage will warn of."""
        try:
            return tuple(JobMessage("", None, warning) for warning in self._session.warnings())
        except LibraryError:  # no model answers
            return ()

    def _take_in(self, running: RunningJob, sources: Sequence[Source], done: Callable[[Outcome], None]) -> bool:
        """Ingest files in order; return whether all are done, False if the job must stop."""
        finished = 0

        def begin(number: int) -> None:
            nonlocal finished
            finished = number
            running.at_hand = _printable(sources[number].file_name) if number < len(sources) else None

        def count(outcome: Outcome) -> None:
            begin(finished + 1)
            done(outcome)

        begin(0)
        while finished < len(sources):
            if running.interrupted:
                return False
            try:
                left = self._undisturbed(running, sources[finished:])
                ingest(self._session, left, self._limits, count, decoders=1, stop=lambda: self._must_stop(running))
            except (LibraryBusy, WorkerFailure):  # not the file's fault; tried again
                running.wait(BUSY_RETRY_S)
            while self._writer_wanted.is_set() and not running.wait(GIVE_WAY_S):
                pass
        return True

    def _undisturbed(self, running: RunningJob, sources: Sequence[Source]) -> Iterator[Source]:
        """Yield files until the job must stop, or a new model waits for the writer lock."""
        for source in sources:
            if self._must_stop(running):
                return
            yield source

    def _must_stop(self, running: RunningJob) -> bool:
        return running.interrupted or self._writer_wanted.is_set()


class _Tally:
    """Count what became of a directory's files; what is no medium is none of them."""

    def __init__(self, result: dict[str, Any], passed: list[Any]) -> None:
        self._counts = Counter({state: result.get(state, 0) for state in (*STATES, "changing")})
        self.passed, self.expected = passed, 0

    def count(self, name: str, outcome: Outcome, expected: bool) -> None:
        """Count a file; `expected`: it was counted as one that is still to come."""
        self.expected -= expected
        if outcome.state == "passed":
            number, example = self.passed or (0, _printable(name))
            self.passed = [number + 1, example]
        else:
            self._counts[outcome.state] += 1

    @property
    def progress(self) -> float:
        """Return the share of files that are done."""
        return self._counts.total() / max(1, self._files)

    @property
    def result(self) -> dict[str, Any]:
        """Return the counts as a job's result has them."""
        return {"files": self._files} | {state: n for state, n in self._counts.items() if n or state in STATES}

    @property
    def _files(self) -> int:
        return self._counts.total() + self.expected


def _may_be_footage(listed: Listed) -> bool:
    name = listed.path.name
    return listed.named or is_named_as_medium(name) or is_shared_ending(name)


def _messages(file_name: str, outcome: Outcome) -> tuple[JobMessage, ...]:
    if outcome.state == "changing":
        return (JobMessage(file_name, None, outcome.detail or ""),)
    if outcome.state == "failed":
        return (JobMessage(file_name, outcome.code, outcome.detail or ""),)
    return () if outcome.note is None else (JobMessage(file_name, None, outcome.note),)


def _name(path: Path, directory: Path) -> str:
    """Return a file's name below a directory; undecodable bytes become question marks."""
    return _printable(path.name if path == directory else str(path.relative_to(directory)))


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()
