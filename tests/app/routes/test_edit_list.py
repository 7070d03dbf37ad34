"""POST /edit-list: files that editing programs open."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from media_samples import tone, write_sound
from service_samples import assert_problem, film, ingest_into, serving
from starlette.testclient import TestClient

from app.library.ingest import Source

EVENT = re.compile(r"(\d{3})  (?:[A-Z0-9]{1,8}) +(\w)\s+C        (\S+) (\S+) (\S+) (\S+)")


def videos(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/videos").json()["videos"]
    return found


def asked(client: TestClient, kind: str, cuts: list[dict[str, Any]], title: str = "Found") -> str:
    answer = client.post("/edit-list", json={"format": kind, "title": title, "cuts": cuts})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="Found.{kind}"'
    return answer.text


@pytest.fixture
def cuts(client: TestClient) -> list[dict[str, Any]]:
    """Ask for a second of one video and two of another; all have 10 frames a second."""
    one, other = videos(client)[:2]
    first = {"video_id": one["video_id"], "start_s": 1, "end_s": 2, "note": "a\nnote"}
    return [first, {"video_id": other["video_id"], "start_s": 2, "end_s": 4}]


def test_an_edl_has_an_event_for_each_cut(client: TestClient, cuts: list[dict[str, Any]]) -> None:
    """Source and record times in frames, the record side without a gap from one hour on."""
    lines = asked(client, "edl", cuts).splitlines()
    assert lines[:2] == ["TITLE: Found", "FCM: NON-DROP FRAME"]
    events = [found.groups() for line in lines if (found := EVENT.fullmatch(line))]
    assert events == [
        ("001", "B", "00:00:01:00", "00:00:02:00", "01:00:00:00", "01:00:01:00"),
        ("002", "B", "00:00:02:00", "00:00:04:00", "01:00:01:00", "01:00:03:00"),
    ]
    assert f"* FROM CLIP NAME: {videos(client)[0]['file_name']}" in lines
    assert "* COMMENT: a note" in lines


def test_fcpxml_refers_to_each_file_once(client: TestClient, cuts: list[dict[str, Any]]) -> None:
    """Clips lie one behind the other, all times are whole frames, every reference has its resource."""
    root = ElementTree.fromstring(asked(client, "fcpxml", [*cuts, cuts[0]]))
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    formats = {one.get("id"): one for one in root.iter("format")}
    assert (len(assets), len(formats)) == (2, 2)  # of the list, which no program edits at 10 frames, and of the files
    at = Fraction(0)
    clips = list(root.iter("asset-clip"))
    for clip in clips:
        assert clip.get("ref") in assets
        offset, start, length = (
            Fraction((clip.get(name) or "").removesuffix("s")) for name in ("offset", "start", "duration")
        )
        assert offset == at
        assert all(time * 10 == int(time * 10) for time in (offset, start, length))
        at += length
    assert Path(assets[clips[0].get("ref")].find("media-rep").get("src").removeprefix("file://")).is_file()  # type: ignore[union-attr]


def test_a_table_runs_nothing(own_library: Path, tmp_path: Path) -> None:
    """A name that begins like a formula stays a text; so does a note."""
    sound = write_sound(tmp_path / "=1+1.wav", tone(2, 16000), 16000)
    ingest_into(own_library, [Source(sound, sound.name)])
    with serving(own_library) as client:
        (video,) = client.get("/videos?q=1%2B1").json()["videos"]
        cut = {"video_id": video["video_id"], "start_s": 0, "end_s": 1, "note": "@SUM(A1)"}
        (row,) = csv.DictReader(io.StringIO(asked(client, "csv", [cut])))
        edl = asked(client, "edl", [cut])
    assert (row["file_name"], row["note"]) == ("'=1+1.wav", "'@SUM(A1)")
    assert "A     C        00:00:00:00 00:00:01:00" in edl


def test_a_file_that_is_gone_is_listed_all_the_same(own_library: Path, tmp_path: Path) -> None:
    """Its name is what an editor looks for."""
    path = film(tmp_path / "gone.mp4", 0, 9)
    ingest_into(own_library, [Source(path, path.name)])
    path.unlink()
    with serving(own_library) as client:
        (video,) = client.get("/videos?q=gone").json()["videos"]
        assert "gone.mp4" in asked(client, "edl", [{"video_id": video["video_id"], "start_s": 0, "end_s": 1}])


@pytest.mark.parametrize(
    "change",
    [{"cuts": []}, {"format": "aaf"}, {"cuts": [{"video_id": "x", "start_s": 2, "end_s": 1}]}, {"title": "x" * 201}],
)
def test_what_is_no_list_is_refused(client: TestClient, cuts: list[dict[str, Any]], change: dict[str, Any]) -> None:
    """In words."""
    answer = client.post("/edit-list", json={"format": "edl", "cuts": cuts} | change)
    assert answer.status_code in (404, 422)
    assert answer.json()["detail"]


NTSC = Fraction(30000, 1001)
SOURCES = {
    "df": (NTSC, "10:00:58;20"),
    "ndf": (NTSC, "10:00:58:20"),
    "pal": (Fraction(25), "00:59:59:12"),
    "bare": (NTSC, None),
}


def mov(path: Path, rate: Fraction, first: str | None) -> Path:
    """Write four seconds of grey with a first timecode."""
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if first is not None:
            stream.metadata["timecode"] = first
        for number in range(round(4 * rate)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 + number % 100, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def rushes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, dict[str, dict[str, Any]]]]:
    """Serve four recordings of one long name with odd letters, and one that is only heard; cuts of 1.2 to 2.7 s."""
    directory = tmp_path_factory.mktemp("rushes")
    paths = [mov(directory / f"Rushes of #1 & 100% {name}.mov", *source) for name, source in SOURCES.items()]
    paths.append(write_sound(directory / "Rushes heard.wav", tone(4, 16000), 16000))
    ingest_into(directory / "lib", [Source(path, path.name) for path in paths])
    with serving(directory / "lib") as client:
        names = {video["video_id"]: video["file_name"].split()[-1].partition(".")[0] for video in videos(client)}
        yield client, {name: {"video_id": video, "start_s": 1.2, "end_s": 2.7} for video, name in names.items()}


def events(text: str) -> list[tuple[str, ...]]:
    return [found.groups() for line in text.splitlines() if (found := EVENT.fullmatch(line))]


def test_times_are_those_that_a_program_shows_for_the_source(rushes: Any) -> None:
    """From its own first timecode: with numbers left out, or not where its colon says so, over a whole minute."""
    client, cuts = rushes
    for name, source in {
        "df": ("10:00:59;26", "10:01:01;13"),  # 10:01:00;00 and ;01 do not exist
        "ndf": ("10:00:59:26", "10:01:01:11"),
        "pal": ("01:00:00:17", "01:00:02:05"),
        "bare": ("00:00:01;06", "00:00:02;21"),
    }.items():
        text = asked(client, "edl", [cuts[name]])
        assert events(text)[0][2:4] == source, name
        assert (": DROP FRAME" in text) == (name in ("df", "bare")), name


def test_a_list_of_many_rates_counts_in_one(rushes: Any) -> None:
    """An EDL has one rate: each event takes as long in its source as in the list, whatever the source's own rate."""
    client, cuts = rushes
    text = asked(client, "edl", [cuts["pal"], cuts["bare"], cuts["heard"], cuts["ndf"]])
    for _, _, *times in events(text):
        starts_and_ends = [25 * (int(t[6:8]) + 60 * int(t[3:5])) + int(t[9:]) for t in times]
        assert starts_and_ends[1] - starts_and_ends[0] == starts_and_ends[3] - starts_and_ends[2] == 38
    assert ";" not in "".join(line for line in text.splitlines() if EVENT.fullmatch(line))
    reels = [line.split()[1] for line in text.splitlines() if EVENT.fullmatch(line)]
    assert reels == ["RUSHESOF", "RUSHESO2", "RUSHESHE", "RUSHESO3"]


def test_fcpxml_names_any_file_and_stays_within_it(rushes: Any) -> None:
    """A path is a URL, a source keeps its rate and first timecode, and a cut ends where its file ends."""
    client, cuts = rushes
    late = {"video_id": cuts["pal"]["video_id"], "start_s": 3.5, "end_s": 60}
    root = ElementTree.fromstring(asked(client, "fcpxml", [cuts["ndf"], late]))
    ndf, pal = root.iter("asset")
    assert unquote(ndf.find("media-rep").get("src")).endswith("/Rushes of #1 & 100% ndf.mov")  # type: ignore[union-attr]
    assert "%231%20%26" in ndf.find("media-rep").get("src")  # type: ignore[operator, union-attr]
    assert Fraction(ndf.get("start").rstrip("s")) == (10 * 3600 + 58 + Fraction(20, 30)) * Fraction(1001, 1000)  # type: ignore[union-attr]
    clip = list(root.iter("asset-clip"))[1]
    ends = Fraction(clip.get("start").rstrip("s")) + Fraction(clip.get("duration").rstrip("s"))  # type: ignore[union-attr]
    assert ends <= Fraction(pal.get("start").rstrip("s")) + 4  # type: ignore[union-attr]
    sequence = root.find(".//sequence")
    assert sequence is not None
    assert sequence.get("tcFormat") == "NDF"
    behind = client.post("/edit-list", json={"format": "edl", "cuts": [{**late, "start_s": 4.5}]})
    assert_problem(behind, 422, "query", "lasts 4 s")


def test_a_cut_of_less_than_a_frame_is_one_frame(rushes: Any) -> None:
    """An editing program refuses an event of no length."""
    client, cuts = rushes
    (event,) = events(asked(client, "edl", [{**cuts["pal"], "end_s": 1.201}]))
    assert event[2:4] == ("01:00:00:17", "01:00:00:18")
