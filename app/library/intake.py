"""Take one file into a library: its parts are committed one by one, and all of them go where it is refused.

What was committed stays where the file was only touched, or could not be read for a moment: it is gone on with.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.library.changing import may_hold
from app.library.encoding import PartEncoder, seconds_of
from app.library.features import keep_part
from app.library.listing import is_no_medium
from app.library.missing import lies_at
from app.library.notes import joined, note_of
from app.library.readers import Reader
from app.library.reading import Begun, length_of, needs_another_track, start_of
from app.library.rereading import reread
from app.library.source import Outcome, Source, printable
from app.library.supersede import Place, Places
from app.library.videos import delete_video
from app.media.decoding import Facts
from app.media.footage import Part
from app.media.previews import Previews
from index.records import Failure, Video
from index.seconds import Stretch
from model.data.corpus import Annotation
from model.data.feature_parts import FeatureParts
from model.data.features import UNREADABLE, Features
from model.errors import Changing, Damaged, LibraryError, MediaError, NotFound, NotReadable
from model.media.medium import DECODING
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False)
class Intake:
    """Take in files that a reader reads; `encoder` is the library's model, None while it has none."""

    reader: Reader
    encoder: Encoder | None
    places: Places

    def take(self, source: Source, begun: Begun) -> Outcome | None:
        """Take in a file; None where the reader was told to stop: a later call with this file goes on.

        Raises LibraryError: what was committed of this file stays, and a later call goes on with it.
        """
        try:
            return self._take(source, begun)
        except NotFound:
            if self.reader.session.library.catalogue.find_by_sha256(begun.facts.sha256) is None:
                self._withdraw(begun.facts)
            detail = f"{source.file_name} was deleted from the library while it was taken in"
            return Outcome(source.path, "failed", None, NotFound.code, detail)

    def _take(self, source: Source, begun: Begun) -> Outcome | None:
        known = self.reader.session.library.catalogue.find_by_sha256(begun.facts.sha256)
        moved = None if known is None else self.places.found(known, Place(self._reference(source), source.uploaded))
        if known is not None and known.complete:
            self._annotate(source, known)
            self._date(source, begun, known)
            if start_of(source, known, self.reader.session.library.catalogue) is None:
                return Outcome(source.path, "known", known.video_id, note=moved)
            try:
                outcome = reread(self.reader, self.encoder, source, begun, known)
            except Changing as error:
                return self.fail(source, error)
            return outcome and replace(outcome, note=joined((moved, outcome.note)))
        before = None if known is None else self._before(source, known)
        if before is None:
            self._kept(begun.facts.sha256).remove()
        try:
            return self._take_parts(source, begun, known, before)
        except MediaError as error:
            if not self._goes_on(source, begun.facts, error):
                self._withdraw(begun.facts)
            return self.fail(source, error)

    def fail(self, source: Source, error: MediaError) -> Outcome:
        """Record why a file cannot be taken in; what changes, or is gone or no medium of a directory, is no failure."""
        detail = str(error).replace(source.path.name, source.file_name)  # an upload lies under another name
        if isinstance(error, Changing):
            return Outcome(source.path, "changing", None, error.code, detail)
        if source.listed and not lies_at(source.path):
            detail = f"{source.file_name} is gone: it was deleted or moved before it was read to its end"
            return Outcome(source.path, "changing", None, Changing.code, detail)
        if source.listed and is_no_medium(source.path, error):
            return Outcome(source.path, "passed")
        if not source.uploaded:  # of an upload the job says it, and its file goes
            failure = Failure(printable(source.path), error.code, detail, _now())
            self.reader.session.library.catalogue.record_failure(failure)
        return Outcome(source.path, "failed", None, error.code, detail)

    def _take_parts(self, source: Source, begun: Begun, known: Video | None, before: Features | None) -> Outcome | None:
        """Commit part after part. `before`: the last seconds that a cut-off ingest committed, None to begin anew."""
        session, facts = self.reader.session, begun.facts
        video, start_s, seconds = known or self._record(source, begun), 0, 0
        if before is None:
            video = replace(video, loss_s=0.0, audio_track=source.audio_track or video.audio_track, decoding=DECODING)
        else:
            start_s = session.library.catalogue.end_s(video.video_id)
            seconds = len(session.library.catalogue.starts_of(video.video_id))
        encoder = self._part_encoder(before)
        took_place: str | None = None
        with closing(self.reader.parts(source, begun, known, start_s)) as parts:
            for part in parts:
                seconds += len(part.features)
                length_s, loss_s = length_of(facts, seconds), video.loss_s + part.loss_s
                video = replace(video, duration_s=length_s, loss_s=loss_s, complete=part.ended)
                if part.ended:
                    self._check_loss(source, video)
                self._commit(video, part, encoder, is_first=known is None and part.start_s == 0)
                took_place = self.places.holds(video, video.path) or took_place
        if not video.complete:
            return None
        self._annotate(source, video)
        note = joined((took_place, note_of(session.library.catalogue, video, facts, part)))
        return Outcome(source.path, "added", video.video_id, note=note)

    def _before(self, source: Source, known: Video) -> Features | None:
        """Return the last seconds of a video that was cut off, None where they are gone or of another sound track."""
        if needs_another_track(source, known):
            return None
        try:
            end_s = self.reader.session.library.catalogue.end_s(known.video_id)
            before = self._kept(known.sha256).before(end_s, max(1, self._part_encoder(None).context_s))
        except UNREADABLE:
            return None
        return before if before is not None and before.start_s[-1] == end_s - 1 else None

    def _part_encoder(self, before: Features | None) -> PartEncoder:
        return PartEncoder(self.encoder, self.reader.session.front_end.prior, before)

    def _kept(self, sha256: str) -> FeatureParts:
        session = self.reader.session
        return FeatureParts(session.library.features_path(sha256, session.front_end.identity))

    def _commit(self, video: Video, part: Part, encoder: PartEncoder, is_first: bool) -> None:
        """Write a part: its features, which can be made again, before what makes it a part of the library."""
        catalogue, kept = self.reader.session.library.catalogue, self._kept(video.sha256)
        try:
            keep_part(kept, part.start_s, part.features)
            batches, seconds = encoder.encoded(part.features), seconds_of(part.features)
            audio, visual = batches.get("audio"), batches.get("visual")
            if is_first:
                catalogue.ingest(video, seconds, audio, visual)
            else:
                catalogue.rewrite(video, Stretch(part.start_s), seconds, audio, visual)
        except LibraryError:
            kept.path(part.start_s).unlink(missing_ok=True)
            if is_first:
                Previews(self.reader.session.library, video.video_id).remove()
            raise

    def _check_loss(self, source: Source, video: Video) -> None:
        """Refuse what was gone on with after a stop: its last reading knows only of what it read itself."""
        if video.loss_s > self.reader.limits.most_loss * video.duration_s:
            raise Damaged(
                f"{video.loss_s:.1f} s of the {video.duration_s:.1f} s of {source.path.name} could not be decoded, at "
                f"most a share of {self.reader.limits.most_loss:g} may be lost: copy or export the file again, or "
                "allow more with ECHOLENS_MOST_LOSS or --most-loss"
            )

    def _goes_on(self, source: Source, facts: Facts, error: MediaError) -> bool:
        """Say whether what was committed of a file is right, and the next ingest can go on with it."""
        if self.reader.session.library.catalogue.find_by_sha256(facts.sha256) is None:
            return False
        return isinstance(error, (Changing, NotReadable)) and may_hold(source.path, facts.sha256)

    def _withdraw(self, facts: Facts) -> None:
        """Remove everything of a file that is refused."""
        library = self.reader.session.library
        video = library.catalogue.find_by_sha256(facts.sha256)
        if video is not None:
            delete_video(library, video.video_id)
        else:
            Previews(library, _video_id(facts)).remove()
            self._kept(facts.sha256).remove()

    def _record(self, source: Source, begun: Begun) -> Video:
        """Return a video without seconds."""
        facts = begun.facts
        given = source.annotation or Annotation(_video_id(facts))
        return Video(
            _video_id(facts),
            facts.sha256,
            self._reference(source),
            source.file_name,
            facts.media_type,
            0.0,
            source.uploaded,
            given.label,
            given.event_start_s,
            given.event_end_s,
            _now(),
            facts.size_bytes,
            modified_s=_modified_s(begun),
        )

    def _reference(self, source: Source) -> str:
        return self.reader.session.library.reference(source.path)

    def _date(self, source: Source, begun: Begun, known: Video) -> None:
        """Note when a known file was last changed, unless it is a copy elsewhere, which may be younger."""
        modified_s = _modified_s(begun)
        if modified_s is not None and (known.modified_s is None or known.path == self._reference(source)):
            self.reader.session.library.catalogue.put_modified(known.video_id, modified_s)

    def _annotate(self, source: Source, video: Video) -> None:
        """Give a video the label that came with its file."""
        annotation = source.annotation
        if annotation is not None and annotation.label is not None:
            given = (annotation.label, annotation.event_start_s, annotation.event_end_s)
            if given != (video.label, video.event_start_s, video.event_end_s):
                self.reader.session.library.catalogue.update_labels(video.video_id, *given)


def _video_id(facts: Facts) -> str:
    return facts.sha256[:16]


def _modified_s(begun: Begun) -> float | None:
    return None if begun.state is None else begun.state.modified_ns / 1e9


def _now() -> str:
    return datetime.now(UTC).isoformat()
