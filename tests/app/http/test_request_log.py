"""Every answer has an id that is in its problem too: the client's own where it is a plain word, else a new one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from service_samples import serving
from starlette.testclient import TestClient

NEW = re.compile(r"[0-9a-f]{12}")


@pytest.mark.parametrize("given", ["a", "A-Z.a_z.0-9", "x" * 64])
def test_a_client_s_own_id_comes_back(client: TestClient, given: str) -> None:
    """On an answer and on a problem, in the header and in the body."""
    assert client.get("/videos", headers={"X-Request-ID": given}).headers["x-request-id"] == given
    answer = client.get("/videos/unknown", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a;b", "<a>", "é", "a\tb", "١٢"])
def test_another_id_is_made_of_what_is_no_plain_word(client: TestClient, given: str) -> None:
    """Too long, or of characters that a log or a page could take for something else."""
    made = client.get("/videos", headers={"X-Request-ID": given.encode()}).headers["x-request-id"]
    assert NEW.fullmatch(made)


@pytest.mark.parametrize("path", ["/", "/health/live", "/videos", "/nowhere", "/openapi.json", "/metrics", "/errors"])
def test_every_answer_has_its_own(client: TestClient, path: str) -> None:
    """One header on each, and no two alike."""
    ids = [client.get(path).headers.get_list("x-request-id") for _ in range(3)]
    assert all(len(one) == 1 and NEW.fullmatch(one[0]) for one in ids)
    assert len({one[0] for one in ids}) == 3


def test_who_is_refused_has_one(tmp_path: Path) -> None:
    """A 401, which the routes never see."""
    with serving(tmp_path / "locked", api_key="k" * 20) as client:
        answer = client.get("/videos", headers={"X-Request-ID": "mine"})
    assert answer.status_code == 401
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine"


def test_a_file_has_one(client: TestClient) -> None:
    """An answer that comes in pieces."""
    video_id = client.get("/videos").json()["videos"][0]["video_id"]
    answer = client.get(f"/videos/{video_id}/original", headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "mine")
