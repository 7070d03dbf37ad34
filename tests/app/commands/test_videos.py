"""`echolens videos` lists, labels and deletes as the service does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from service_samples import Command
from starlette.testclient import TestClient

from index.library import Library

USAGE, LIBRARY, OTHER = 2, 4, 6


def listed(echolens: Command, library: Path, *arguments: object) -> Any:
    ran = echolens("videos", "list", "--library", library, "--json", *arguments)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_the_list_is_that_of_the_service(echolens: Command, library: Path, client: TestClient) -> None:
    """The same keys and values as GET /videos, with the same filters and the same `next`."""
    no_prefix = {"X-Forwarded-Prefix": "/"}  # links are whole paths
    assert listed(echolens, library) == client.get("/videos", headers=no_prefix).json()
    for flags, query in (
        (("--label", "blue"), {"label": "blue"}),
        (("--search", "RED"), {"q": "RED"}),
        (("--q", "red", "--limit", 1), {"q": "red", "limit": "1"}),
    ):
        found = listed(echolens, library, *flags)
        assert found["videos"]
        assert found == client.get("/videos", params=query, headers=no_prefix).json()
    table = echolens("videos", "list", "--library", library, "--limit", 2)
    assert (table.code, "2 of 6 videos" in table.out) == (0, True)


def test_a_label_is_replaced_and_cleared(echolens: Command, own_library: Path) -> None:
    """With its event; what is shown is what the catalogue then holds."""
    video_id = listed(echolens, own_library)["videos"][0]["video_id"]
    label = ("videos", "label", video_id, "--library", own_library)
    ran = echolens(*label, "dog", "--event-start", 1, "--event-end", 3, "--json")
    shown = json.loads(ran.out)
    assert (shown["label"], shown["event_start_s"], shown["event_end_s"]) == ("dog", 1, 3)
    assert listed(echolens, own_library, "--label", "dog")["videos"] == [shown]
    assert echolens(*label, "--clear").code == 0
    assert listed(echolens, own_library, "--label", "dog")["videos"] == []


def test_a_label_that_makes_no_sense_is_refused(echolens: Command, own_library: Path) -> None:
    """Neither label nor --clear, both, half an event, an event that ends first, an unknown video: nothing changes."""
    before = listed(echolens, own_library)
    video_id = before["videos"][0]["video_id"]
    for code, arguments in (
        (USAGE, (video_id,)),
        (USAGE, (video_id, "dog", "--clear")),
        (USAGE, (video_id, "dog", "--event-start", 1)),
        (OTHER, (video_id, "dog", "--event-start", 3, "--event-end", 1)),
        (OTHER, (video_id, "--clear", "--event-start", 1, "--event-end", 3)),
        (LIBRARY, ("0" * 16, "dog")),
    ):
        ran = echolens("videos", "label", *arguments, "--library", own_library)
        assert (ran.code, ran.out) == (code, ""), arguments
    assert listed(echolens, own_library) == before


def test_deleting_takes_all_that_the_library_made_and_leaves_the_original(
    echolens: Command, own_library: Path, footage: list[Path]
) -> None:
    """Row, previews and features go; the file that was ingested in place stays, and the command says so."""
    with Library.open(own_library, create=False) as opened:
        first, second, *_ = opened.catalogue.every_video()
    made = [own_library / "previews" / first.video_id, *own_library.glob(f"cache/features/*/{first.sha256}.npz")]
    assert len(made) == 2
    ran = echolens("videos", "delete", first.video_id, second.video_id, "--yes", "--library", own_library)
    assert (ran.code, "stay where they are" in ran.out) == (0, True)
    assert not any(path.exists() for path in made)
    assert all(path.is_file() for path in footage)
    assert listed(echolens, own_library)["total"] == 4
    assert echolens("library", "check", "--library", own_library).code == 0


def test_deleting_asks_first(echolens: Command, own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A no deletes nothing, and neither does an unknown id among known ones."""
    ids = [video["video_id"] for video in listed(echolens, own_library)["videos"]]
    asked: list[str] = []

    def answer(question: str, **_: object) -> bool:
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr("typer.confirm", answer)
    assert echolens("videos", "delete", ids[0], "--library", own_library).code == USAGE
    assert echolens("videos", "delete", ids[0], "0" * 16, "--yes", "--library", own_library).code == LIBRARY
    assert listed(echolens, own_library)["total"] == 6
    assert echolens("videos", "delete", ids[0], "--library", own_library).code == 0
    assert listed(echolens, own_library)["total"] == 5
