"""GET /library: what a library holds, what it is encoded by and what it can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from service_samples import serving
from starlette.testclient import TestClient

from app.http import keys
from app.library import overview


def test_it_says_what_there_is(client: TestClient) -> None:
    """Counts, labels, the model, and what may be asked; without keys, on loopback, everything is allowed."""
    told = client.get("/library").json()
    assert (told["videos"], told["segments"], told["labelled"]) == (6, 30, 6)
    assert told["labels"] == [{"label": label, "videos": 2} for label in ("blue", "green", "red")]
    assert told["front_end"] == "raw"
    assert [one["name"] for one in told["front_ends"] if one["current"]] == ["raw"]
    assert (told["can_text"], told["knows_concepts"], told["can_imagine"]) == (False, False, True)
    assert not told["is_demonstration"]
    assert told["model"]["trained_videos"] > 0
    assert (told["problem"], told["scope"]) == (None, "admin")
    (folder,) = told["folders"]
    assert folder["videos"] == 6


def test_it_follows_the_library(own_library: Path) -> None:
    """A deleted video is no longer counted, and a label that was changed has moved."""
    with serving(own_library) as client:
        first = client.get("/videos").json()["videos"][0]["video_id"]
        assert client.get("/library").json()["videos"] == 6
        client.delete(f"/videos/{first}")
        client.patch(f"/videos/{client.get('/videos').json()['videos'][0]['video_id']}", json={"label": "new"})
        told = client.get("/library").json()
    assert told["videos"] == 5
    assert {"label": "new", "videos": 1} in told["labels"]


def test_an_empty_library_says_what_it_lacks(tmp_path: Path) -> None:
    """No model has to serve yet; nothing is counted."""
    with serving(tmp_path / "empty", frontend="raw") as client:
        told = client.get("/library").json()
    assert (told["videos"], told["is_demonstration"], told["labels"]) == (0, False, [])


def test_a_reading_key_is_told_no_paths(own_library: Path) -> None:
    """Folders and roots are of the server's own disk."""
    _, secret = keys.create(own_library, "reader", "read")
    with serving(own_library, ingest_roots=(own_library,)) as client:
        told = client.get("/library", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (told["scope"], told["folders"], told["ingest_roots"]) == ("read", [], [])
    assert told["labels"]


def test_nothing_is_counted_twice(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the catalogue stays as it is, a second request reads no table."""
    before = client.get("/library").json()
    monkeypatch.setattr(overview, "count", lambda _: pytest.fail("counted again"))
    assert client.get("/library").json() == before
