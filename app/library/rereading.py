"""Read a file anew that the library holds: by newer rules, or with another sound track."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from app.library.encoding import PartEncoder, seconds_of
from app.library.features import keep_part
from app.library.notes import joined, reading_notes
from app.library.readers import Reader
from app.library.reading import Begun, length_of, needs_another_track
from app.library.source import Outcome, Source
from app.media.footage import Part
from index.records import Video
from index.seconds import Stretch
from model.data.feature_parts import FeatureParts
from model.data.features import UNREADABLE, Features
from model.errors import Changing, MediaError
from model.media.medium import DECODING
from model.network.encoder import Encoder

# Of the largest number of a row: two machines round differently, another sound or frame differs by far more.
ROUNDING = 1e-4
# The rules of a video that is being written anew. Cut off then, all of it is written next time, changed or not: the
# last seconds before the cut have latents that do not know what follows them.
CUT_OFF = 0


def reread(reader: Reader, encoder: Encoder | None, source: Source, begun: Begun, known: Video) -> Outcome | None:
    """Decode a video anew and write only the seconds that have changed; it keeps its id, its label and its place.

    None where the reader was told to stop: the next call begins anew. Where a file cannot be read on, the parts before
    that are renewed and the rest stays as it was; the next call tries again. Raises Changing.
    """
    catalogue, front_end = reader.session.library.catalogue, reader.session.front_end
    kept = FeatureParts(reader.session.library.features_path(known.sha256, front_end.identity))
    _split(kept)
    by_part, changed, seconds, loss_s, starts = PartEncoder(encoder, front_end.prior), 0, 0, 0.0, list[int]()
    try:
        with closing(reader.parts(source, begun, known, 0)) as parts:
            for part in parts:
                before = changed
                changed += count_changed(_kept_of(kept, part), part.features)
                seconds, loss_s = seconds + len(part.features), loss_s + part.loss_s
                starts.append(part.start_s)
                if changed or known.decoding == CUT_OFF:
                    _write(reader, known, kept, part, by_part, is_new=changed > before)
                else:
                    by_part.pass_over(part.features)
                if part.ended:
                    break
            else:
                return None
    except Changing:
        raise
    except MediaError as error:
        return Outcome(source.path, "known", known.video_id, note=_failed(changed, seconds, error))
    kept.remove(kept=starts)
    track, duration_s = source.audio_track or known.audio_track, length_of(begun.facts, seconds)
    read = replace(known, duration_s=duration_s, loss_s=loss_s, audio_track=track, decoding=DECODING)
    catalogue.stamp(read)
    why = f"with sound track {track}" if needs_another_track(source, known) else "by the new rules"
    told = f"read anew {why}: {changed} of {seconds} seconds changed" if changed else None
    note = joined((told, *begun.facts.notes, *reading_notes(part, read))) if changed else None
    return Outcome(source.path, "known", known.video_id, note=note)


def _failed(changed: int, seconds: int, error: MediaError) -> str:
    if not changed:
        return f"it stays as it was decoded before, since it cannot be read anew: {error}"
    done = f"{changed:,} of the first {seconds:,} seconds changed, the rest stays as it was decoded before"
    return f"read anew in part: {done}, and the next ingest tries it again: {error}"


def count_changed(before: Features | None, now: Features) -> int:
    """Return how many seconds there are only before or only now, or differ by more than rounding."""
    if before is None:
        return len(now)
    _, old, new = np.intersect1d(before.start_s, now.start_s, return_indices=True)
    alike = int(_alike(before.rows(old), now.rows(new)).sum())
    return len(np.union1d(before.start_s, now.start_s)) - alike


def _alike(a: Features, b: Features) -> Bool[np.ndarray, "t"]:
    same = (a.heard == b.heard) & (a.seen == b.seen)
    same &= (a.sound_whole == b.sound_whole) & (a.frame_whole == b.frame_whole)
    for left, right in ((a.audio, b.audio), (a.visual, b.visual)):
        x, y = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (left, right))
        if x.size:
            same &= np.abs(x - y).max(1) <= ROUNDING * np.abs(x).max(1)
    return np.asarray(same)


def _split(kept: FeatureParts) -> None:
    try:
        kept.split()
    except UNREADABLE:  # gone, or cut off: then every second counts as changed
        kept.remove()


def _kept_of(kept: FeatureParts, part: Part) -> Features | None:
    try:
        return kept.between(part.start_s, None if part.ended else part.stop_s)
    except UNREADABLE:
        return None


def _write(reader: Reader, known: Video, kept: FeatureParts, part: Part, by_part: PartEncoder, is_new: bool) -> None:
    """Write a part to the catalogue and then, if it is new, to the cache: cut off between, it is compared again."""
    batches = by_part.encoded(part.features)
    stretch = Stretch(part.start_s, None if part.ended else part.stop_s)
    seconds = seconds_of(part.features)
    halfway = replace(known, decoding=CUT_OFF)
    reader.session.library.catalogue.rewrite(halfway, stretch, seconds, batches.get("audio"), batches.get("visual"))
    if is_new:
        keep_part(kept, part.start_s, part.features)
