"""Edit lists: stretches of recordings as editing programs take them (CMX 3600 EDL, FCPXML), or as a table (CSV)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from app.media.spreadsheet import written_csv
from model.frontends.frontend import FrontEnd
from model.media.containers import frame_timing
from model.media.timecode import FrameTiming, edit_rate

ListFormat = Literal["edl", "fcpxml", "csv"]
MEDIA_TYPES: dict[ListFormat, str] = {"edl": "text/plain", "fcpxml": "application/xml", "csv": "text/csv"}
OF_SOUND = FrameTiming(Fraction(25))  # what is only heard, or a still picture, has no frames of its own
RECORD_START_S = 3600.0  # by custom a programme begins at one hour
REEL_LETTERS = 8
LEAST_PART = 1e-6  # of a frame, by which a sum of floats may be short
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
    record = _record(cuts)
    lines = [f"TITLE: {title}", f"FCM: {'' if record.is_drop_frame else 'NON-'}DROP FRAME", ""]
    at, reels = record.frame_at(RECORD_START_S), _reels(cuts)
    for number, cut in enumerate(cuts, 1):
        source, length = cut.timing.at_rate(record.rate_hz), _frames(cut, record)
        first = source.first_frame + source.frame_at(cut.start_s)
        times = (
            source.timecode(first),
            source.timecode(first + length),
            record.timecode(at),
            record.timecode(at + length),
        )
        track = "B" if cut.has_sound and cut.has_picture else "V" if cut.has_picture else "A"
        lines += [f"{number:03}  {reels[cut.video_id]:<8} {track:<5} C        {' '.join(times)}"]
        lines += [f"* FROM CLIP NAME: {_one_line(cut.file_name)}"]
        lines += [f"* SOURCE FILE: {_one_line(str(cut.path))}"] if cut.path else []
        lines += [f"* COMMENT: {_one_line(cut.note)}"] if cut.note else []
        at += length
    return "\r\n".join([*lines, ""])


def _record(cuts: Sequence[Cut]) -> FrameTiming:
    """Return the timing of the list: that of its first picture, at a rate that programs edit at."""
    timing = next((cut.timing for cut in cuts if cut.has_picture), cuts[0].timing)
    return timing.at_rate(edit_rate(timing.rate_hz))


def _frames(cut: Cut, record: FrameTiming) -> int:
    """Return how many frames of the list a cut takes; a program refuses one of none, or one that outlasts its file."""
    there = int((cut.duration_s - cut.start_s) * record.rate_hz + LEAST_PART)
    return max(1, min(there, record.frame_at(cut.end_s) - record.frame_at(cut.start_s)))


def _reels(cuts: Sequence[Cut]) -> dict[str, str]:
    """Return a name of eight plain letters and digits for each file, no two alike."""
    reels: dict[str, str] = {}
    for cut in cuts:
        if cut.video_id not in reels:
            plain = "".join(
                letter for letter in Path(cut.file_name).stem.upper() if letter.isascii() and letter.isalnum()
            )
            name, number = plain[:REEL_LETTERS] or "AX", 1
            while name in reels.values():
                number += 1
                name = f"{plain[: REEL_LETTERS - len(str(number))]}{number}"
            reels[cut.video_id] = name
    return reels


def _fcpxml(title: str, cuts: Sequence[Cut]) -> str:
    root = Xml.Element("fcpxml", version=VERSION)
    resources = Xml.SubElement(root, "resources")
    record = _record(cuts)
    rate = record.rate_hz
    formats = {rate: "r1"}
    Xml.SubElement(resources, "format", id="r1", frameDuration=_seconds(1 / rate))
    assets: dict[str, str] = {}
    for cut in cuts:
        own = cut.timing.rate_hz
        if own not in formats:
            formats[own] = f"r{len(formats) + len(assets) + 1}"
            Xml.SubElement(resources, "format", id=formats[own], frameDuration=_seconds(1 / own))
        if cut.video_id not in assets:
            assets[cut.video_id] = f"r{len(formats) + len(assets) + 1}"
            _add_asset(resources, cut, assets[cut.video_id], formats[own])
    event = Xml.SubElement(Xml.SubElement(root, "library"), "event", name=title)
    length = sum(_frames(cut, record) for cut in cuts)
    sequence = Xml.SubElement(
        Xml.SubElement(event, "project", name=title),
        "sequence",
        format="r1",
        duration=_seconds(length / rate),
        tcStart="0s",
        tcFormat="DF" if record.is_drop_frame else "NDF",
    )
    spine, at = Xml.SubElement(sequence, "spine"), 0
    for cut in cuts:
        frames = _frames(cut, record)
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
    source = cut.path.as_uri() if cut.path else f"./{quote(cut.file_name)}"
    Xml.SubElement(asset, "media-rep", kind="original-media", src=source)


def _csv(_: str, cuts: Sequence[Cut]) -> str:
    rows = ((cut.file_name, str(cut.path or ""), cut.video_id, cut.start_s, cut.end_s, cut.note) for cut in cuts)
    return written_csv(("file_name", "path", "video_id", "start_s", "end_s", "note"), rows)


def _seconds(time_s: Fraction) -> str:
    """Return a time as FCPXML writes it, a rational number of seconds."""
    return f"{time_s.numerator}/{time_s.denominator}s" if time_s.denominator > 1 else f"{time_s.numerator}s"


def _one_line(text: str) -> str:
    """Return a text in which nothing ends its line, and which XML may hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
