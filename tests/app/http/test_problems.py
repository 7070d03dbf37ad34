"""Whatever goes wrong, and wherever, is a problem (RFC 9457) with the request's id."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import HTTPException
from route_samples import declared_route
from service_samples import assert_answers, assert_problem
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.error_codes import ROWS
from app.http.problems import TITLES, status_of
from app.http.request_log import RequestLog
from app.http.route_table import RouteTable
from app.server import create_app
from app.settings import Settings
from app.telemetry.metrics import Metrics
from model.errors import LibraryError, QueryError, Silent

JSON = {"Content-Type": "application/json"}


def video_of(client: TestClient) -> str:
    video_id: str = client.get("/videos").json()["videos"][0]["video_id"]
    return video_id


def test_the_framework_s_own_errors_are_problems(client: TestClient) -> None:
    """No route, no such method (with Allow), a body that is not what it says, fields that do not fit."""
    assert_problem(client.get("/nowhere"), 404, "http_404", "/nowhere", "/openapi.json")
    answer = client.delete("/videos")
    assert_problem(answer, 405, "http_405", "DELETE")
    assert answer.headers["allow"]
    no_boundary = {"Content-Type": "multipart/form-data"}
    assert_problem(client.post("/retrieve", content=b"x", headers=no_boundary), 400, "http_400", "Content-Type")
    torn = {"Content-Type": "multipart/form-data; boundary=b"}
    assert_problem(client.post("/retrieve", content=b"--x\r\ntorn", headers=torn), 400, "http_400", "Content-Type")
    path = f"/videos/{video_of(client)}"
    assert_problem(client.patch(path, content=b'{"label": ', headers=JSON), 422, "invalid_request", "no JSON")
    assert_problem(client.patch(path, content=b'{"label": "\xff"}', headers=JSON), 400, "http_400", "Content-Type")
    assert_problem(client.patch(path, content=b"[]", headers=JSON), 422, "invalid_request")
    assert_problem(client.get("/videos?limit=many"), 422, "invalid_request", "limit")
    assert_problem(client.post("/retrieve", data={"k": 3}), 422, "invalid_request", "target")
    assert_answers(client)


@pytest.mark.parametrize(
    ("given", "status"),
    [("seconds=0-1", 400), ("bytes", 400), ("bytes=", 400), ("bytes=9-3", 400), ("bytes=999999999-", 416)],
)
def test_a_range_that_cannot_be_sent_is_a_problem(client: TestClient, given: str, status: int) -> None:
    """The detail says what was given and what there is; a 416 has the size in Content-Range, as it must."""
    path = f"/videos/{video_of(client)}/original"
    size = len(client.get(path).content)
    answer = client.get(path, headers={"Range": given})
    assert_problem(answer, status, "range", given, "bytes=FIRST-LAST")
    assert status == 400 or answer.headers["content-range"] == f"bytes */{size}"
    assert client.get(path, headers={"Range": "bytes=0-9"}).status_code == 206


def test_a_value_that_was_sent_is_not_sent_back(client: TestClient) -> None:
    """A field's error names the field; a secret that was put into the wrong one stays out of answers and logs."""
    answer = client.post("/retrieve", data={"target": "my-secret", "segment_id": "my-secret"})
    assert_problem(answer, 422, "invalid_request", "target", "segment_id")
    assert "my-secret" not in answer.text


def test_what_nobody_foresaw_is_told_without_details(library: Path) -> None:
    """500 `internal`; neither the message nor the traceback leaves the service, which goes on."""
    application = create_app(Settings(data=library))

    @application.get("/broken")
    def broken() -> None:
        raise RuntimeError("a secret of the inside")

    @application.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, "short")

    with TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        answer = client.get("/broken")
        assert_problem(answer, 500, "internal", "log")
        assert "secret" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert_problem(client.get("/teapot"), 418, "http_418", "/openapi.json")
        assert_answers(client)


def raising(error: Exception) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return application


def around(application: ASGIApp, raise_server_exceptions: bool = False) -> TestClient:
    routes = RouteTable([declared_route("/")])
    return TestClient(RequestLog(application, Metrics(), routes), raise_server_exceptions=raise_server_exceptions)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Silent("a file of silence"), 422, "silent"), (RuntimeError("of the inside"), 500, "internal")],
)
def test_an_error_in_a_middleware_is_a_problem(error: Exception, status: int, code: str) -> None:
    """What is raised outside of the routes, where the framework has no handler."""
    answer = around(raising(error)).get("/")
    assert_problem(answer, status, code)
    assert "of the inside" not in answer.text


def test_a_plain_error_of_a_middleware_is_a_problem() -> None:
    """Text that some layer answers with is written anew; its other headers stay."""
    plain = PlainTextResponse("go away", 403, {"Retry-After": "7", "X-Request-ID": "theirs"})
    answer = around(plain).get("/", headers={"X-Request-ID": "mine"})
    assert_problem(answer, 403, "http_403")
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("7", "mine")
    assert "go away" not in answer.text


def test_an_answer_that_was_begun_is_not_written_over() -> None:
    """An error half way reaches the server, which cuts the connection: nothing pretends to be whole."""

    async def torn(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LibraryError("the disk is gone")

    with pytest.raises(LibraryError):
        around(torn, raise_server_exceptions=True).get("/")


class Full(QueryError):
    """Ask later."""

    code = "silent"
    retry_after_s = 1.2


def test_an_error_can_say_when_to_ask_again() -> None:
    """Retry-After in whole seconds, never too early."""
    assert around(raising(Full("full, ask again later"))).get("/").headers["retry-after"] == "2"


def test_a_status_of_the_table_has_a_title() -> None:
    """No problem is called `Error`; the code of an error decides on its status."""
    assert {status for row in ROWS for status in row.statuses} <= set(TITLES)
    assert status_of(Full("full")) == status_of(QueryError("why")) == 422


def test_a_method_that_is_not_there_names_all_that_are(client: TestClient) -> None:
    """`Allow` has the methods of every route of the path."""
    for path, allowed in (
        ("/videos", "GET, HEAD, POST"),
        ("/videos/x", "DELETE, GET, HEAD, PATCH"),
        ("/jobs/x", "DELETE, GET, HEAD"),
    ):
        answer = client.put(path)
        assert_problem(answer, 405, "http_405", "PUT")
        assert answer.headers["allow"] == allowed
