"""What a client has already is not sent again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from service_samples import assert_problem, ingest_into, serving
from starlette.testclient import TestClient

from app.library.ingest import Source

PREVIEWS = ("/segments/1/frame.jpg", "/segments/1/sound.wav")


@pytest.mark.parametrize("path", PREVIEWS)
def test_a_preview_that_is_known_is_not_read(own_library: Path, path: str) -> None:
    """304, the tag and no body, even where the preview is gone; asked for without its tag, it is made again."""
    with serving(own_library) as client:
        whole = client.get(path)
        etag = whole.headers["etag"]
        assert etag.startswith('"')
        assert whole.headers["cache-control"] == "private, no-cache", "read anew, a second keeps its id and changes"
        shutil.rmtree(own_library / "previews" / client.get("/videos").json()["videos"][0]["video_id"])
        for given in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            known = client.get(path, headers={"If-None-Match": given})
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)
            assert known.headers["cache-control"] == whole.headers["cache-control"]
        again = client.get(path, headers={"If-None-Match": '"other"'})
        assert (again.status_code, again.content) == (200, whole.content)


def test_tags_tell_every_preview_apart(client: TestClient) -> None:
    """Another second, another video, the other kind: another tag."""
    tags = [
        client.get(f"/segments/{i}/{kind}").headers["etag"] for i in (1, 2, 6) for kind in ("frame.jpg", "sound.wav")
    ]
    assert len(set(tags)) == 6


def test_what_is_not_there_is_not_known_either(client: TestClient) -> None:
    """No 304 for a second that does not exist."""
    assert_problem(client.get("/segments/9999/frame.jpg", headers={"If-None-Match": "*"}), 404, "not_found")


@pytest.mark.parametrize("path", [*PREVIEWS, "original"])
def test_head_tells_what_get_would(client: TestClient, path: str) -> None:
    """The same headers."""
    if path == "original":
        path = client.get("/videos").json()["videos"][0]["original"]
    head, whole = client.head(path), client.get(path)
    assert head.status_code == 200
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert head.headers[name] == whole.headers[name], name


def test_a_replaced_original_has_another_tag(tmp_path: Path, footage: list[Path]) -> None:
    """A file that lies where its owner put it may change: the tag of what is sent changes with it."""
    clip = Path(shutil.copy(footage[0], tmp_path / "mine.mp4"))
    ingest_into(tmp_path / "library", [Source(clip, clip.name)])
    with serving(tmp_path / "library") as client:
        path = client.get("/videos").json()["videos"][0]["original"]
        etag = client.get(path).headers["etag"]
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
        part = client.get(path, headers={"Range": "bytes=0-9", "If-Range": etag})
        assert (part.status_code, part.headers["etag"]) == (206, etag)
        clip.write_bytes(footage[1].read_bytes())
        os.utime(clip, ns=(1, 1))
        changed = client.get(path, headers={"If-None-Match": etag})
        assert (changed.status_code, changed.content) == (200, footage[1].read_bytes())
        whole = client.get(path, headers={"Range": "bytes=0-9", "If-Range": etag})
        assert whole.status_code == 200, "part of one file and part of another make none"
