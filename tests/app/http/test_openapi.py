"""The service's description of itself is checked in, complete and true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_samples import Command
from starlette.testclient import TestClient

from app.http.openapi import PROBLEM
from app.server import create_app
from app.settings import Settings
from echolens.client import Client

GOLDEN = Path(__file__).parents[3] / "docs" / "openapi.json"
BYTES = {
    "get_frame": "image/jpeg",
    "get_sound": "audio/wav",
    "post_generate": "image/png",
    "post_retrieve": "text/csv",
    "get_original": "*/*",
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = create_app(Settings()).openapi()
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_description_is_the_one_that_is_checked_in(described: dict[str, Any]) -> None:
    """A change of the face shows in the diff of docs/openapi.json."""
    same = json.loads(GOLDEN.read_text()) == json.loads(json.dumps(described))
    assert same, "the HTTP face changed: check it, then run: echolens openapi > docs/openapi.json"


def test_the_command_prints_what_the_service_serves(client: TestClient, echolens: Command) -> None:
    """One description, wherever it is asked for."""
    ran = echolens("openapi")
    assert ran.code == 0
    assert json.loads(ran.out) == client.get("/openapi.json").json()


def test_every_route_says_what_it_does_and_answers(described: dict[str, Any]) -> None:
    """A summary of one sentence, a known tag, a clean name, answers with a schema, problems as problem+json."""
    tags, names = {tag["name"] for tag in described["tags"]}, []
    for path, method, operation in operations(described):
        where = f"{method} {path}"
        names.append(operation["operationId"])
        assert operation["summary"].endswith("."), where
        assert len(operation["tags"]) == 1, where
        assert set(operation["tags"]) <= tags, where
        assert names[-1].isidentifier(), where
        assert "{" not in names[-1], where
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            if method == "head" or status in ("204", "304"):
                assert not content, (where, status)
            elif status in ("4XX", "5XX"):
                assert set(content) == {PROBLEM}, (where, status)
                assert content[PROBLEM]["schema"] == {"$ref": "#/components/schemas/ProblemAnswer"}
            else:
                assert content, (where, status)
                if "application/json" in content:
                    assert content["application/json"]["schema"], (where, status)
        assert {"4XX", "5XX"} <= set(operation["responses"]), where
    assert len(set(names)) == len(names)
    assert "HTTPValidationError" not in described["components"]["schemas"], "no answer has the framework's own form"


def test_answers_of_bytes_name_their_type(described: dict[str, Any]) -> None:
    """Pictures, sounds and tables are described beside the JSON."""
    found = {
        o["operationId"]: set(o["responses"]["200"].get("content", {}))
        for _, _, o in operations(described)
        if "200" in o["responses"]
    }
    for name, media_type in BYTES.items():
        assert media_type in found[name], name
    assert found["get_frame"] == {"image/jpeg"}


def test_answers_are_closed(described: dict[str, Any]) -> None:
    """What is not declared is not answered: every model of an answer allows no other field."""
    for name, schema in described["components"]["schemas"].items():
        if name.endswith("Answer") and name != "ProblemAnswer":
            assert schema["additionalProperties"] is False, name


def test_the_client_has_a_method_for_every_route() -> None:
    """A new route gets one, or a reason here why not."""
    without = {"post_retrieve": "retrieve", "post_batch": "retrieve_batch", "get_metrics": None}
    methods = {name for name in vars(Client) if not name.startswith("_")}
    named = {
        "post_localize": "localize",
        "post_generate": "generate",
        "post_video": "upload",
        "get_videos": "videos",
        "get_video": "video",
        "patch_video": "annotate",
        "delete_video": "delete",
        "get_original": "original",
        "head_original": None,
        "post_edit_list": "edit_list",
        "post_alert": "alert",
        "get_alerts": "alerts",
        "delete_alert": "delete_alert",
        "get_excerpt": "excerpt",
        "head_excerpt": None,
        "get_peaks": "peaks",
        "get_filmstrip": "filmstrip",
        "get_poster": "poster",
        "get_segment": "segment",
        "get_second": "second",
        "get_library": "library",
        "get_frame": "frame",
        "head_frame": None,
        "get_sound": "sound",
        "head_sound": None,
        "get_map": "map",
        "post_job": "ingest",
        "get_jobs": "jobs",
        "get_job": "job",
        "delete_job": "cancel",
        "post_retry": "retry",
        "get_mrr": "mrr",
        "get_live": "live",
        "get_ready": "ready",
        **without,
    }
    there = {operation["operationId"] for _, _, operation in operations(create_app(Settings()).openapi())}
    assert there == set(named)
    assert {method for method in named.values() if method} <= methods
