"""Where a request comes from, its key and the size of its body: all checked before anything is done."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from service_samples import assert_answers, assert_problem, send, serving
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.http.access import Access
from app.http.key_limits import KeyLimits
from app.http.keyring import Keyring
from app.http.route_table import RouteTable
from app.settings import Settings

KEY = "s3cret:with a colon"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def locked(library: Path) -> Iterator[TestClient]:
    with serving(library, api_key=KEY) as client:
        yield client


@pytest.mark.parametrize("given", [f"Bearer {KEY}", f"bearer {KEY}", basic("", KEY), basic("anyone", KEY)])
def test_the_key_opens(locked: TestClient, given: str) -> None:
    """As a bearer token, or as the password of HTTP Basic under any name."""
    assert_answers(locked, Authorization=given)


@pytest.mark.usefixtures("any_number_of_wrong_keys")
@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Token {KEY}",
        KEY,
        "Bearer sécret",
        "Basic not base64!",
        "Basic /////w==",
        basic(KEY, ""),
        basic(KEY, "wrong"),
    ],
)
def test_without_the_key_nothing_opens(locked: TestClient, given: str | None) -> None:
    """401 with the way to send it, on every route, known or not."""
    headers = {} if given is None else {b"Authorization": given.encode()}
    for method, path in (
        ("GET", "/"),
        ("GET", "/videos"),
        ("POST", "/retrieve"),
        ("DELETE", "/videos/x"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/nowhere"),
        ("GET", "/health/live/"),
    ):
        answer = locked.request(method, path, headers=headers, follow_redirects=False)
        assert_problem(answer, 401, "unauthorized", "Authorization: Bearer KEY")
        assert [line.split()[0] for line in answer.headers.get_list("www-authenticate")] == ["Basic", "Bearer"]
        assert KEY not in answer.text


def test_health_is_open(locked: TestClient) -> None:
    """Probes have no key."""
    assert locked.get("/health/live").status_code == 200
    assert locked.get("/health/ready").status_code == 200
    assert_problem(locked.post("/health/live"), 401, "unauthorized")


def test_a_body_is_not_read_without_the_key(tmp_path: Path) -> None:
    """The answer comes before the first byte of the body is asked for, as does that to one too long."""
    sent: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the request went through")

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])

    scope: Scope = {"type": "http", "method": "POST", "path": "/videos", "headers": [(b"content-length", b"11")]}
    for key in (KEY, None):
        access = Access(application, Keyring(tmp_path, key), KeyLimits(), 10, RouteTable([]))
        asyncio.run(access(scope, receive, send))
    assert sent == [401, 413]


def test_what_is_not_http_is_closed(tmp_path: Path) -> None:
    """A WebSocket asks for no key, so none is opened."""
    sent: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it went through")

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    access = Access(application, Keyring(tmp_path), KeyLimits(), 10, RouteTable([]))
    asyncio.run(access({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_beyond_loopback_a_key_is_required(host: str, tmp_path: Path) -> None:
    """Settings that would open the service to others without a key are refused; with one they stand."""
    for key in (None, ""):
        with pytest.raises(ValidationError, match=r"echolens keys create NAME.*ECHOLENS_API_KEY"):
            Settings(data=tmp_path, host=host, api_key=key)
    assert Settings(data=tmp_path, host=host, api_key="k").host == host


def test_the_key_comes_from_the_environment_and_is_not_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ECHOLENS_API_KEY sets it; no representation of the settings shows it."""
    monkeypatch.setenv("ECHOLENS_API_KEY", KEY)
    settings = Settings(data=tmp_path, host="0.0.0.0")
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY
    assert KEY not in repr(settings) + str(settings)


def test_the_key_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ECHOLENS_API_KEY_FILE names it, as secrets of a container are handed over; the line's end is no part of it."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    monkeypatch.setenv("ECHOLENS_API_KEY", "")  # as Compose hands over what is not set
    monkeypatch.setenv("ECHOLENS_API_KEY_FILE", str(file))
    settings = Settings(data=tmp_path, host="0.0.0.0")
    assert settings.admin_key == KEY
    assert KEY not in repr(settings) + str(settings)
    file.write_text("other")
    assert settings.admin_key == KEY  # a change needs a restart


def test_a_file_without_a_key_is_none(tmp_path: Path) -> None:
    """Empty, or /dev/null, which Compose hands over where no file is named: as if there were no key at all."""
    for file in (tmp_path / "empty", Path("/dev/null")):
        file.touch()
        assert Settings(data=tmp_path, api_key_file=file).admin_key == ""
        with pytest.raises(ValidationError, match="ECHOLENS_API_KEY_FILE"):
            Settings(data=tmp_path, host="0.0.0.0", api_key_file=file)
        assert Settings(data=tmp_path, host="0.0.0.0", api_key_file=file, api_key="k").admin_key == "k"


def test_a_key_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """Absent, a directory (Docker makes one where a file is absent), not one line, or beside another key."""
    file = tmp_path / "key"
    file.write_text("k")
    with pytest.raises(ValidationError, match="one of them expected"):
        Settings(data=tmp_path, api_key="other", api_key_file=file)
    file.write_text("two\nlines")
    for path in (file, tmp_path, tmp_path / "absent"):
        with pytest.raises(ValidationError, match=f"{path} given, a file with one line, the key, expected"):
            Settings(data=tmp_path, api_key_file=path)


def test_the_service_takes_the_key_of_a_file(library: Path, tmp_path: Path) -> None:
    """401 without it, 200 with it."""
    (tmp_path / "key").write_text(KEY)
    with serving(library, api_key_file=tmp_path / "key") as client:
        assert client.get("/videos").status_code == 401
        assert client.get("/videos", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


def test_a_large_body_is_refused(library: Path, footage: list[Path], tmp_path: Path) -> None:
    """413 by its declared length, and by its count where none is declared; one within bounds is answered."""
    length = len(footage[0].read_bytes())
    large = tmp_path / "large.mp4"
    large.write_bytes(footage[0].read_bytes() + bytes(length))
    with serving(library, most_upload_bytes=length + 2000) as client:
        fields = {"target": "visual", "query_modality": "visual"}
        assert send(client, footage[0], **fields).status_code == 200
        assert_problem(send(client, large, **fields), 413, "too_large", str(length + 2000))
        request = client.build_request("POST", "/retrieve", files={"file": ("l.mp4", large.read_bytes())}, data=fields)
        whole = request.read()

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(whole), 1000):
                yield whole[start : start + 1000]

        headers = {"Content-Type": request.headers["content-type"]}
        for route in ("/retrieve", "/localize", "/videos"):
            answer = client.post(route, content=pieces(), headers=headers)
            assert "content-length" not in answer.request.headers
            assert_problem(answer, 413, "too_large", str(length + 2000))
        video_id = client.get("/videos").json()["videos"][0]["video_id"]
        answer = client.patch(f"/videos/{video_id}", content=pieces(), headers={"Content-Type": "application/json"})
        assert_problem(answer, 413, "too_large")
        assert_answers(client)


def test_a_page_of_another_site_changes_nothing(client: TestClient) -> None:
    """A browser says where a request comes from: another site's POST is refused, a program's and the page's are not."""
    form = {"target": (None, "visual"), "segment_id": (None, "1")}
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert client.post("/retrieve", files=form, headers={"Sec-Fetch-Site": site}).status_code == status
    # Browsers leave that header out where the service is not on loopback and has no TLS; Origin they always send.
    for origin, status in (("http://evil.example", 403), ("null", 403), ("http://[", 403), ("http://127.0.0.1", 200)):
        assert client.post("/retrieve", files=form, headers={"Origin": origin}).status_code == status


def test_a_foreign_name_reads_nothing(client: TestClient) -> None:
    """On loopback a request under another host's name (DNS rebinding) is refused, under loopback's names it is not."""
    for host, status in (
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("[::1", 403),
        ("", 403),
        ("localhost:8000", 200),
        ("[::1]:8000", 200),
    ):
        answer = client.get("/videos", headers={"Host": host})
        assert answer.status_code == status
        assert status == 200 or answer.json()["code"] == "forbidden"
