"""POST /edit-list: files that editing programs open."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from media_samples import tone, write_sound
from service_samples import film, ingest_into, serving
from starlette.testclient import TestClient

from app.library.ingest import Source

EVENT = re.compile(r"(\d{3})  AX       (\w)\s+C        (\S+) (\S+) (\S+) (\S+)")


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
    assert (len(assets), len(formats)) == (2, 1)
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
