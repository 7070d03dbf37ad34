"""POST /retrieve/batch: many queries, each with its answer or its own problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
from media_samples import tone, write_sound
from service_samples import assert_answers, assert_problem, send, serving
from starlette.testclient import TestClient

from app.library.session import Session
from app.queries.question import Question
from app.queries.search import Search, search_many
from index.gallery import Gallery


def ask(client: TestClient, files: list[Path], segment_ids: list[int], **fields: object) -> httpx2.Response:
    form: dict[str, Any] = {k: str(v) for k, v in fields.items()} | {"segment_ids": [str(i) for i in segment_ids]}
    sent = [("files", (path.name, path.read_bytes())) for path in files]
    return client.post("/retrieve/batch", files=sent or None, data=form)


def hits(answer: dict[str, Any]) -> list[tuple[int, float]]:
    return [(hit["segment_id"], hit["distance"]) for hit in answer["hits"]]


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert [segment_id for segment_id, _ in hits(one)] == [segment_id for segment_id, _ in hits(other)]
    np.testing.assert_allclose([d for _, d in hits(one)], [d for _, d in hits(other)], rtol=1e-5)


@pytest.mark.parametrize(
    "fields", [{}, {"label": "red", "k": 4}, {"group_by": "video", "k": 3}, {"merge_adjacent": True}]
)
def test_each_query_is_answered_as_if_it_were_alone(
    client: TestClient, tmp_path: Path, fields: dict[str, object]
) -> None:
    """Files first, then seconds, in order; the hits are those of /retrieve with the same filters."""
    files = [write_sound(tmp_path / f"{hz}.wav", tone(2, 16000, hz)) for hz in (300, 900)]
    answer = ask(client, files, [3, 17, 3], target="visual", **fields)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [(i["file_name"], i["segment_id"]) for i in items] == [
        ("300.wav", None),
        ("900.wav", None),
        (None, 3),
        (None, 17),
        (None, 3),
    ]
    assert answer.json()["failed"] == 0
    for item, path in zip(items, files, strict=False):
        assert_same(item["answer"], send(client, path, target="visual", **fields).json())
    alone = client.post(
        "/retrieve", data={"segment_id": "17", "target": "visual"} | {k: str(v) for k, v in fields.items()}
    )
    assert_same(items[3]["answer"], alone.json())
    assert hits(items[2]["answer"]) == hits(items[4]["answer"])


def test_a_query_that_fails_fails_alone(client: TestClient, tmp_path: Path) -> None:
    """A text, a silence and an unknown second have their problems in place; the others have hits."""
    text, silence = tmp_path / "text.wav", write_sound(tmp_path / "silence.wav", np.zeros(32000, np.float32))
    text.write_text("no sound at all, only words")
    good = write_sound(tmp_path / "good.wav", tone(2))
    answer = ask(client, [text, good, silence], [1, 99999], target="visual")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [i["problem"] and (i["problem"]["status"], i["problem"]["code"]) for i in items] == [
        (415, "not_a_medium"),
        None,
        (422, "silent"),
        None,
        (404, "not_found"),
    ]
    assert [i["answer"] is None for i in items] == [True, False, True, False, True]
    assert answer.json()["failed"] == 3
    assert {i["problem"]["request_id"] for i in items if i["problem"]} == {answer.headers["x-request-id"]}
    assert_answers(client)


def test_a_batch_has_its_limits(own_library: Path) -> None:
    """No query, or more than the service takes, is refused as a whole; so is what makes no sense for any."""
    with serving(own_library, most_batch=3) as client:
        assert_problem(ask(client, [], [], target="visual"), 422, "query", "1 to 3")
        assert_problem(ask(client, [], [1, 2, 3, 4], target="visual"), 422, "query", "4 queries")
        assert ask(client, [], [1, 2, 3], target="visual").json()["failed"] == 0
        assert_problem(ask(client, [], [1], target="visual", k=1001), 422, "query", "1001")
        assert_problem(ask(client, [], [1], target="smell"), 422, "invalid_request", "target")


def test_queries_that_are_alike_share_a_search(own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one gallery, k and filter are one search; each finds what it finds alone, in its place."""
    sizes: list[int] = []
    search_batch = Gallery.search_batch

    def counted(gallery: Gallery, queries: Any, *rest: Any) -> Any:
        sizes.append(len(queries))
        return search_batch(gallery, queries, *rest)

    with Session.open(own_library, torch.device("cpu")) as session:
        served = session.gallery("visual")
        kinds = [Question(target="visual", k=3, label=label) for label in ("red", "green", None)]
        searches = [Search(served, served.table.latents[[row]], kinds[row % 3]) for row in range(30)]
        alone = [search_many([search])[0] for search in searches]
        monkeypatch.setattr(Gallery, "search_batch", counted)
        together = search_many(searches)
    assert sorted(sizes) == [10, 10, 10]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.distance, other.distance, atol=1e-6)
