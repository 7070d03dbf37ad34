"""/metrics: what the service counts about itself, from zero on, by route templates and codes and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from metric_samples import samples_of, scrape, value
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from route_samples import declared_route
from service_samples import serving
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

import app.http.request_log
from app.http.error_codes import ERROR_CODES, PATTERN
from app.http.request_log import RequestLog
from app.http.route_table import RouteTable
from app.telemetry.metrics import METHODS, OTHER_METHOD, REFUSALS, STAGES, Metrics
from index.library import Library
from index.records import Failure


@pytest.fixture
def new(tmp_path: Path) -> Iterator[TestClient]:
    """Serve a new library, of which nothing was asked yet."""
    with serving(tmp_path / "new") as client:
        yield client


def test_every_series_is_there_at_zero(new: TestClient) -> None:
    """Stages, searches, refusals, codes, and each route with its methods and classes of status: before any is met."""
    scraped = scrape(new)
    zeros = [("echolens_stage_seconds_count", {"stage": stage}) for stage in STAGES]
    zeros += [("echolens_searches_total", {"certified": certified}) for certified in ("true", "false")]
    zeros += [("echolens_refused_total", {"reason": reason}) for reason in REFUSALS]
    zeros += [("echolens_problems_total", {"code": code}) for code in ERROR_CODES if code != PATTERN]
    zeros += [("echolens_encode_batch_items_count", {})]
    for path, methods in new.get("/openapi.json").json()["paths"].items():
        for method in methods:
            labels = {"route": path, "method": method.upper()}
            zeros += [
                ("echolens_requests_total", {**labels, "status": s}) for s in ("2xx", "3xx", "4xx", "5xx", "none")
            ]
            zeros += [("echolens_request_seconds_count", labels)]
    assert len(zeros) > 150
    warm_up = {"echolens_encode_batch_items_count"}  # the canary at the start is encoded too
    assert [(name, labels) for name, labels in zeros if value(scraped, name, **labels) and name not in warm_up] == []


def test_a_request_is_counted_by_its_route_and_status(client: TestClient) -> None:
    """Under the template, not the path; what no route fits is one series, and so is a method that clients make up."""
    before = scrape(client)
    for path in ("/videos/unknown-a", "/videos/unknown-b"):
        assert client.get(path).status_code == 404
    assert client.get("/nowhere/a").status_code == client.request("BREW", "/nowhere/b").status_code == 404
    assert client.get("/videos").status_code == 200
    after = scrape(client)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("echolens_requests_total", route="/videos/{video_id}", method="GET", status="4xx") == 2
    assert more("echolens_requests_total", route="none", method="GET", status="4xx") == 1
    assert more("echolens_requests_total", route="none", method=OTHER_METHOD, status="4xx") == 1
    assert more("echolens_requests_total", route="/videos", method="GET", status="2xx") == 1
    assert more("echolens_request_seconds_count", route="/videos", method="GET") == 1
    assert more("echolens_requests_total", route="/metrics", method="GET", status="2xx") == 1
    assert more("echolens_problems_total", code="not_found") == 2
    assert more("echolens_problems_total", code="http_404") == 2
    assert set(before) == set(after), "a request made a series: clients could make any number"


def test_a_refused_request_has_its_route(tmp_path: Path) -> None:
    """A 401, which no route has seen, is counted under the route that was asked for, and as a problem."""
    with serving(tmp_path / "locked", api_key="k" * 20) as client:
        assert client.get("/videos").status_code == 401
        scraped = samples_of(client.get("/metrics", headers={"Authorization": f"Bearer {'k' * 20}"}).text)
    assert value(scraped, "echolens_requests_total", route="/videos", method="GET", status="4xx") == 1
    assert value(scraped, "echolens_problems_total", code="unauthorized") == 1


def test_the_library_and_the_model_are_told(own_library: Path) -> None:
    """Sizes are the catalogue's, and follow it; the model's fingerprint is the one that encoded the library."""
    with serving(own_library) as client:
        before = scrape(client)
        video_id = client.get("/videos").json()["videos"][0]["video_id"]
        assert client.delete(f"/videos/{video_id}").status_code == 204
        after = scrape(client)
        device = client.get("/health/ready").json()["device"]
    with Library.open(own_library, create=False) as library:
        stats = library.catalogue.stats()
    assert value(before, "echolens_library_videos") == stats.videos + 1
    assert value(after, "echolens_library_videos") == stats.videos
    assert value(after, "echolens_library_seconds") == stats.segments
    assert value(after, "echolens_library_latents", modality="audio") == stats.audio_latents
    assert value(after, "echolens_library_catalogue_version") == stats.catalogue_version
    assert value(after, "echolens_jobs", state="queued") == 0
    model = {"fingerprint": str(stats.fingerprint), "front_end": "raw", "device": device}
    assert value(after, "echolens_model_info", **model) == 1
    assert value(after, "process_resident_memory_bytes") > 1e6


def test_failed_files_are_counted_as_they_fail(own_library: Path) -> None:
    """A failure changes no answer, and so not the catalogue's version; an upload's is told by its job."""
    with serving(own_library) as client, Library.open(own_library, create=False) as library:
        assert value(scrape(client), "echolens_library_failures") == 0
        library.catalogue.record_failure(Failure("/a.mp4", "damaged", "cut short", "2026-01-01"))
        assert value(scrape(client), "echolens_library_failures") == 1


def test_what_is_observed_is_written() -> None:
    """Each observation is in its series, in seconds; a stage's total is no stage."""
    metrics = Metrics()
    metrics.observe_stages({"decode": 30.0, "rerank": 2.0, "total": 32.0})
    metrics.observe_batch(3)
    metrics.observe_search(True)
    metrics.count_refused("busy")
    scraped = samples_of(metrics.exposition("")[0].decode())
    assert value(scraped, "echolens_stage_seconds_sum", stage="decode") == pytest.approx(0.03)
    assert value(scraped, "echolens_stage_seconds_count", stage="rerank") == 1
    assert ("echolens_stage_seconds_count", frozenset({("stage", "total")})) not in scraped
    assert value(scraped, "echolens_encode_batch_items_bucket", le="4.0") == 1
    assert value(scraped, "echolens_encode_batch_items_bucket", le="2.0") == 0
    assert value(scraped, "echolens_searches_total", certified="true") == 1
    assert value(scraped, "echolens_searches_total", certified="false") == 0
    assert value(scraped, "echolens_refused_total", reason="busy") == 1


def test_metrics_are_an_application_s_own() -> None:
    """Two applications in one process count apart."""
    one, other = Metrics(), Metrics()
    one.count_problem("silent")
    other.expect_problems(["silent"])
    assert value(samples_of(other.exposition("")[0].decode()), "echolens_problems_total", code="silent") == 0


def test_a_gauge_that_cannot_be_read_leaves_the_others() -> None:
    """It is NaN, as nobody knows; the rest of the scrape is there, and what is watched anew replaces the old."""
    metrics = Metrics()

    def gone() -> float:
        raise OSError("the disk is gone")

    metrics.watch("echolens_gone", "gone", gone)
    metrics.watch("echolens_left", "left", lambda: 1.0)
    metrics.watch("echolens_left", "left", lambda: 2.0)
    scraped = samples_of(metrics.exposition("")[0].decode())
    assert value(scraped, "echolens_gone") != value(scraped, "echolens_gone")
    assert value(scraped, "echolens_left") == 2.0


def test_openmetrics_is_given_where_it_is_asked_for(client: TestClient) -> None:
    """By Accept, as Prometheus asks; a strict parser takes it."""
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0, text/plain"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert any(f.name == "echolens_requests" for f in text_string_to_metric_families(answer.text))
    plain = client.get("/metrics", headers={"Accept": "*/*"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_the_duration_ends_with_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes in pieces takes as long as its last piece."""
    now = [100.0]

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        now[0] += 2.0
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        now[0] += 5.0
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    monkeypatch.setattr(app.http.request_log.time, "perf_counter", lambda: now[0])
    metrics = Metrics()
    watched = RequestLog(slow, metrics, RouteTable([declared_route("/slow")]))
    assert TestClient(watched).get("/slow").text == "ab"
    scraped = samples_of(metrics.exposition("")[0].decode())
    assert value(scraped, "echolens_request_seconds_sum", route="/slow", method="GET") == 7.0
    assert value(scraped, "echolens_requests_in_flight") == 0


def test_methods_cover_what_routes_have(client: TestClient) -> None:
    """No route's method ends as `other`."""
    paths = client.get("/openapi.json").json()["paths"]
    assert {method.upper() for methods in paths.values() for method in methods} <= set(METHODS)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_who_hangs_up_is_counted_as_gone(hangs_up: bool) -> None:
    """Before an answer began: neither a success nor a problem; afterwards the answer counts."""

    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        if hangs_up:
            assert (await receive())["type"] == "http.disconnect"
        await PlainTextResponse("late", 400)(scope, receive, send)

    async def ask(watched: RequestLog) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            pass

        await watched({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)

    metrics = Metrics()
    asyncio.run(ask(RequestLog(left, metrics, RouteTable([declared_route("/")]))))
    scraped = samples_of(metrics.exposition("")[0].decode())
    labels = {"route": "/", "method": "GET"}
    assert value(scraped, "echolens_requests_total", status="none", **labels) == hangs_up
    assert value(scraped, "echolens_requests_total", status="4xx", **labels) == (not hangs_up)
    assert value(scraped, "echolens_problems_total", code="http_400") == (not hangs_up)
    assert value(scraped, "echolens_refused_total", reason="gone") == hangs_up
