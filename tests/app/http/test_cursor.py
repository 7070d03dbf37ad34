"""GET /videos page by page: a cursor goes on where the page ended, or says that it cannot."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from service_samples import assert_problem, ended_job, film, serving, upload
from starlette.testclient import TestClient

from app.http.cursor import Cursor
from index.paging import Choice, Trail
from model.errors import BadCursor


def page(client: TestClient, **parameters: object) -> dict[str, Any]:
    answer = client.get("/videos", params={k: str(v) for k, v in parameters.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(page: dict[str, Any]) -> list[str]:
    return [video["file_name"] for video in page["videos"]]


def test_a_cursor_is_read_as_it_was_written() -> None:
    """Every field survives, in letters that need no escaping in a URL."""
    for choice in (Choice(), Choice("dög", 'a"b')):
        cursor = Cursor(Trail(7, 3, 2, 2**62, 5), choice)
        assert Cursor.read(str(cursor), choice) == cursor
        assert set(str(cursor)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def word(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "none",
        "é",
        "A",
        "====",
        "a b+/",
        word(5),
        word({}),
        word([]),
        word([1, 2, 3, 5, "x"]),
        word([1, 2, 3, -4, 5, "x"]),
        word([1, 2, 3, 2**63, 5, "x"]),
        word([1, 2.5, 3, 4, 5, "x"]),
        word([True, 2, 3, 4, 5, "x"]),
        "W" * 5000,
    ],
)
def test_what_is_no_cursor_is_refused(client: TestClient, given: str) -> None:
    """422 says to take `next` as it is; nothing else comes out of it."""
    with pytest.raises(BadCursor):
        Cursor.read(given, Choice())
    assert_problem(client.get("/videos", params={"cursor": given}), 422, "cursor", "next")


def test_a_cursor_belongs_to_its_list(client: TestClient) -> None:
    """Another label or name with it is refused; a parameter that does not exist is, too."""
    following = page(client, limit=1, label="red")["next"]
    for other in ({}, {"label": "blue"}, {"label": "red", "q": "x"}):
        assert_problem(client.get("/videos", params={"cursor": following, **other}), 422, "cursor", "label")
    assert_problem(client.get("/videos", params={"after": "x"}), 422, "invalid_request", "after")


def test_videos_are_chosen_by_label_and_name(client: TestClient) -> None:
    """`total` counts the chosen ones; names are compared without regard to case, and % is a plain sign."""
    red = page(client, label="red")
    assert (names(red), red["total"]) == (["red-0.mp4", "red-1.mp4"], 2)
    assert names(page(client, q="-0.MP4")) == ["red-0.mp4", "green-0.mp4", "blue-0.mp4"]
    assert names(page(client, q="n-1", label="green")) == ["green-1.mp4"]
    assert (page(client, q="%")["total"], page(client, label="re")["total"]) == (0, 0)
    first = page(client, q="-0", limit=2)
    assert names(page(client, q="-0", limit=2, cursor=first["next"])) == ["blue-0.mp4"]


def test_footage_that_comes_in_meanwhile_is_on_the_last_page(own_library: Path, tmp_path: Path) -> None:
    """Additions and labels behind the cursor do not end it: the pages are the list as it is at the last of them."""
    with serving(own_library) as client:
        first = page(client, limit=4)
        job = upload(client, film(tmp_path / "new.mp4", 0, 2, 2.0)).json()["job_id"]
        assert ended_job(client, job)["state"] == "done"
        client.patch(f"/videos/{first['videos'][0]['video_id']}", json={"label": "other"})
        second = page(client, limit=4, cursor=first["next"])
        assert names(second) == ["blue-0.mp4", "blue-1.mp4", "new.mp4"]
        assert second["catalogue_version"] > first["catalogue_version"]
        assert names(first) + names(second) == names(page(client))


def test_a_deletion_behind_the_cursor_shortens_the_list(own_library: Path) -> None:
    """What is yet to come may go; the pages still make the list as it is now."""
    with serving(own_library) as client:
        first, whole = page(client, limit=3), page(client)
        client.delete(f"/videos/{whole['videos'][4]['video_id']}")
        assert names(first) + names(page(client, cursor=first["next"])) == names(page(client))


def test_a_deletion_on_the_pages_before_ends_a_cursor(own_library: Path) -> None:
    """409 says to begin again; so does a label that came or went, where a label is asked for."""
    with serving(own_library) as client:
        first, red = page(client, limit=3), page(client, limit=1, label="red")
        client.patch(f"/videos/{first['videos'][0]['video_id']}", json={"label": "other"})
        assert len(page(client, cursor=first["next"])["videos"]) == 3, "no label was asked for"
        answer = client.get("/videos", params={"cursor": red["next"], "label": "red"})
        assert_problem(answer, 409, "cursor_expired", "begin again")
        client.delete(f"/videos/{first['videos'][1]['video_id']}")
        assert_problem(client.get("/videos", params={"cursor": first["next"]}), 409, "cursor_expired", "begin again")


def test_a_cursor_of_a_later_library_is_expired(client: TestClient) -> None:
    """A library that was restored to an earlier version is another one."""
    version = page(client)["catalogue_version"]
    first = page(client, limit=2)
    cursor = Cursor.read(first["next"], Choice())
    later = str(Cursor(replace(cursor.trail, version=version + 1), Choice()))
    assert_problem(client.get("/videos", params={"cursor": later}), 409, "cursor_expired")
