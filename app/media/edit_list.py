"""Edit lists: stretches of recordings as editing programs take them (CMX 3600 EDL, FCPXML), or as a table (CSV)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as Xml

from model.frontends.frontend import FrontEnd
from model.media.containers import frame_timing
from model.media.timecode import FrameTiming

ListFormat = Literal["edl", "fcpxml", "csv"]
MEDIA_TYPES: dict[ListFormat, str] = {"edl": "text/plain", "fcpxml": "application/xml", "csv": "text/csv"}
OF_SOUND = FrameTiming(Fraction(25))  # what is only heard, or a still picture, has no frames of its own
RECORD_START_S = 3600.0  # by custom a programme begins at one hour
MOST_EVENTS = 999  # an EDL numbers them with three digits
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a table program would run a cell that begins so
VERSION = "1.10"  # of FCPXML


@dataclass(frozen=True)
class Cut:
    """Hold the stretch [start_s, end_s) of a file; `path` is None where it is not told."""

    video_id: str
    file_name: str
    path: Path | None
    start_s: float
    end_s: float
    duration_s: float
    has_sound: bool
    has_picture: bool
    note: str = ""
    timing: FrameTiming = OF_SOUND


def read_timing(_: FrontEnd, path: Path) -> FrameTiming:
    """Read the frame rate and first timecode of a file. Raises MediaError."""
    return frame_timing(path) or OF_SOUND


def write_list(kind: ListFormat, title: str, cuts: Sequence[Cut]) -> str:
    """Return the file's text; `title` may be any text."""
    return {"edl": _edl, "fcpxml": _fcpxml, "csv": _csv}[kind](_one_line(title), cuts)


def _edl(title: str, cuts: Sequence[Cut]) -> str:
    record = cuts[0].timing
    lines = [f"TITLE: {title}", f"FCM: {'' if record.is_drop_frame else 'NON-'}DROP FRAME", ""]
    at = record.frame_at(RECORD_START_S)
    for number, cut in enumerate(cuts, 1):
        timing, length = cut.timing, record.frame_at(cut.end_s - cut.start_s)
        first = timing.first_frame
        times = (
            timing.timecode(first + timing.frame_at(cut.start_s)),
            timing.timecode(first + timing.frame_at(cut.end_s)),
            record.timecode(at),
            record.timecode(at + length),
        )
        track = "B" if cut.has_sound and cut.has_picture else "V" if cut.has_picture else "A"
        lines += [f"{number:03}  AX       {track:<5} C        {' '.join(times)}"]
        lines += [f"* FROM CLIP NAME: {_one_line(cut.file_name)}"]
        lines += [f"* SOURCE FILE: {_one_line(str(cut.path))}"] if cut.path else []
        lines += [f"* COMMENT: {_one_line(cut.note)}"] if cut.note else []
        at += length
    return "\r\n".join([*lines, ""])


def _fcpxml(title: str, cuts: Sequence[Cut]) -> str:
    root = Xml.Element("fcpxml", version=VERSION)
    resources = Xml.SubElement(root, "resources")
    formats: dict[Fraction, str] = {}
    assets: dict[str, str] = {}
    for cut in cuts:
        rate = cut.timing.rate_hz
        if rate not in formats:
            formats[rate] = f"r{len(formats) + len(assets) + 1}"
            Xml.SubElement(resources, "format", id=formats[rate], frameDuration=_seconds(1 / rate))
        if cut.video_id not in assets:
            assets[cut.video_id] = f"r{len(formats) + len(assets) + 1}"
            _add_asset(resources, cut, assets[cut.video_id], formats[rate])
    event = Xml.SubElement(Xml.SubElement(root, "library"), "event", name=title)
    rate = cuts[0].timing.rate_hz
    length = sum(cuts[0].timing.frame_at(cut.end_s - cut.start_s) for cut in cuts)
    sequence = Xml.SubElement(
        Xml.SubElement(event, "project", name=title), "sequence", format=formats[rate], duration=_seconds(length / rate)
    )
    spine, at = Xml.SubElement(sequence, "spine"), 0
    for cut in cuts:
        frames = cuts[0].timing.frame_at(cut.end_s - cut.start_s)
        clip = Xml.SubElement(
            spine,
            "asset-clip",
            ref=assets[cut.video_id],
            name=_one_line(cut.file_name),
            offset=_seconds(at / rate),
            start=_seconds((cut.timing.first_frame + cut.timing.frame_at(cut.start_s)) / cut.timing.rate_hz),
            duration=_seconds(frames / rate),
        )
        if cut.note:
            Xml.SubElement(clip, "note").text = _one_line(cut.note)
        at += frames
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{Xml.tostring(root, "unicode")}\n'


def _add_asset(resources: Xml.Element, cut: Cut, name: str, of: str) -> None:
    asset = Xml.SubElement(
        resources,
        "asset",
        id=name,
        name=_one_line(cut.file_name),
        start=_seconds(cut.timing.first_frame / cut.timing.rate_hz),
        duration=_seconds(cut.timing.frame_at(cut.duration_s) / cut.timing.rate_hz),
        hasVideo=str(int(cut.has_picture)),
        hasAudio=str(int(cut.has_sound)),
        format=of,
    )
    source = cut.path.as_uri() if cut.path else f"./{cut.file_name}"
    Xml.SubElement(asset, "media-rep", kind="original-media", src=_one_line(source))


def _csv(title: str, cuts: Sequence[Cut]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("file_name", "path", "video_id", "start_s", "end_s", "note"))
    for cut in cuts:
        row = (cut.file_name, str(cut.path or ""), cut.video_id, cut.start_s, cut.end_s, cut.note)
        writer.writerow([_no_formula(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def _seconds(time_s: Fraction) -> str:
    """Return a time as FCPXML writes it, a rational number of seconds."""
    return f"{time_s.numerator}/{time_s.denominator}s" if time_s.denominator > 1 else f"{time_s.numerator}s"


def _one_line(text: str) -> str:
    """Return a text in which nothing ends its line, and which XML may hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULAS) else cell
