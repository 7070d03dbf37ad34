"""POST /retrieve: what it finds, in what order, within what bounds, and how it says so."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import grey_frame, stepped_tone, tone, write_picture, write_sound, write_video
from service_samples import CLIP_S, CLIPS_OF_A_KIND, KINDS, ingest_into, send, serving
from starlette.testclient import TestClient

from app.http import keys
from app.library.ingest import Source

SEGMENTS = CLIP_S * len(KINDS) * CLIPS_OF_A_KIND
HIT = {
    "rank",
    "segment_id",
    "video_id",
    "file_name",
    "file_path",
    "start_s",
    "end_s",
    "distance",
    "parts",
    "label",
    "links",
    "match",
    "chance",
    "fit",
    "reasons",
    "twins",
}
MODALITIES = ("audio", "visual")


def ask(client: TestClient, **fields: object) -> dict[str, Any]:
    answer = client.post("/retrieve", data={k: str(v) for k, v in fields.items()})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def all_segments(client: TestClient) -> list[dict[str, Any]]:
    videos = client.get("/videos").json()["videos"]
    return [s | v for v in videos for s in client.get(f"/videos/{v['video_id']}").json()["segments"]]


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_second_of_the_library_finds_itself_first(client: TestClient, modality: str) -> None:
    """Asked by its own latent, every second is at rank 1 with a distance of nothing."""
    for segment in all_segments(client):
        question = {"segment_id": segment["segment_id"], "query_modality": modality, "target": modality}
        first = ask(client, k=1, **question)["hits"][0]
        assert first["segment_id"] == segment["segment_id"]
        assert first["distance"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("target", MODALITIES)
@pytest.mark.parametrize("modality", MODALITIES)
def test_every_direction_answers_in_order(client: TestClient, modality: str, target: str) -> None:
    """Distances ascend, parts sum to the distance, ranks count from 1, and no second comes twice."""
    body = ask(client, segment_id=7, query_modality=modality, target=target, k=20)
    hits = body["hits"]
    assert [h["rank"] for h in hits] == list(range(1, 21))
    assert [h["distance"] for h in hits] == sorted(h["distance"] for h in hits)
    assert len({h["segment_id"] for h in hits}) == 20
    for hit in hits:
        assert set(hit) == HIT
        assert hit["distance"] == pytest.approx(hit["parts"]["latent"] + hit["parts"]["generated"])
        assert hit["end_s"] == hit["start_s"] + 1
        assert hit["label"] == hit["file_name"].partition("-")[0]
        assert Path(hit["file_path"]).is_file()
    assert body["query"]["modality"] == modality
    assert body["query"]["uncertainty"] > 0


def test_an_answer_says_how_it_was_found(client: TestClient) -> None:
    """The certificate, the fingerprint and version that /health/ready tells too, and the time of each stage."""
    body = ask(client, segment_id=1, target="visual")
    ready = client.get("/health/ready").json()
    search = body["search"]
    assert search["certified"] is True
    assert search["gallery_size"] == SEGMENTS
    assert 0 < search["examined"] <= SEGMENTS
    assert search["catalogue_version"] == ready["catalogue_version"]
    assert body["query"]["fingerprint"] == ready["fingerprint"]
    timings = body["timings_ms"]
    assert timings["total"] == pytest.approx(sum(v for k, v in timings.items() if k != "total"), abs=0.01)


def test_a_file_of_the_library_finds_its_own_second(client: TestClient, footage: list[Path]) -> None:
    """The very clip, asked by its look or its sound at second 3, is found at second 3 at no distance."""
    for modality in MODALITIES:
        answer = send(client, footage[2], query_modality=modality, target=modality, at_s=3.7, k=1)
        (hit,) = answer.json()["hits"]
        assert (hit["file_name"], hit["start_s"]) == (footage[2].name, 3)
        assert hit["distance"] == pytest.approx(0, abs=1e-3)
        stages = set(answer.json()["timings_ms"])
        assert stages == {"decode", "features", "encode", "search", "rerank", "wait", "total"}


def test_a_sound_is_asked_by_its_sound_and_a_picture_by_its_look(client: TestClient, tmp_path: Path) -> None:
    """Only a video needs query_modality."""
    sound, picture = write_sound(tmp_path / "s.wav"), write_picture(tmp_path / "p.png")
    for path, modality in ((sound, "audio"), (picture, "visual")):
        answer = send(client, path, target="visual")
        assert answer.status_code == 200, answer.text
        assert answer.json()["query"]["modality"] == modality


def test_a_whole_sound_is_averaged_over_ten_seconds_at_most(client: TestClient, tmp_path: Path) -> None:
    """Twelve seconds are asked as their first ten are; one second of them is another question."""
    samples = stepped_tone(12, 16000)
    long = write_sound(tmp_path / "long.wav", samples, 16000)
    ten = write_sound(tmp_path / "ten.wav", samples[:160_000], 16000)
    answers = [send(client, long, target="audio"), send(client, ten, target="audio")]
    answers.append(send(client, ten, target="audio", at_s=9))
    distances = [[h["distance"] for h in answer.json()["hits"]] for answer in answers]
    assert distances[0] == pytest.approx(distances[1], rel=1e-4)
    assert distances[0] != pytest.approx(distances[2], rel=1e-2)


def test_silent_seconds_are_left_out_of_the_average(client: TestClient, tmp_path: Path) -> None:
    """Two seconds of silence before a tone change nothing of the answer."""
    samples = tone(2, 16000)
    quiet = np.concatenate([np.zeros(32_000, np.float32), samples])
    paths = [write_sound(tmp_path / f"{i}.wav", s, 16000, "FLOAT") for i, s in enumerate((samples, quiet))]
    first, second = (send(client, p, target="audio").json()["hits"] for p in paths)
    # the resampler is the identity at 16 kHz, so the seconds are the same bits
    assert [h["distance"] for h in first] == pytest.approx([h["distance"] for h in second], rel=1e-5)


def test_k_beyond_the_gallery_gives_all_there_is(client: TestClient) -> None:
    """Fewer hits than asked for is an answer, not an error."""
    body = ask(client, segment_id=1, target="audio", k=999)
    assert len(body["hits"]) == SEGMENTS
    assert body["search"]["certified"] is True


def test_filters_choose_what_may_be_found(client: TestClient) -> None:
    """label, video_id, after_s and before_s, alone and together, against the library's own list."""
    segments = all_segments(client)
    video_id = segments[0]["video_id"]
    filters: list[dict[str, object]] = [
        {"label": "green"},
        {"video_id": video_id},
        {"after_s": 2},
        {"before_s": 2},
        {"after_s": 1, "before_s": 4, "label": "red"},
    ]
    for chosen in filters:
        expected = {
            s["segment_id"]
            for s in segments
            if s["label"] == chosen.get("label", s["label"])
            and s["video_id"] == chosen.get("video_id", s["video_id"])
            and s["start_s"] >= int(str(chosen.get("after_s", 0)))
            and s["start_s"] + 1 <= int(str(chosen.get("before_s", CLIP_S)))
        }
        hits = ask(client, segment_id=1, target="visual", k=999, **chosen)["hits"]
        assert {h["segment_id"] for h in hits} == expected
        assert expected, "a filter that leaves nothing shows nothing"


def test_a_filter_that_nothing_passes_gives_no_hits(client: TestClient) -> None:
    """An unknown label is an empty answer, which is proved as well."""
    for chosen in ({"label": "no such label"}, {"video_id": "none"}, {"after_s": 4.5}):
        body = ask(client, segment_id=1, target="visual", **chosen)
        assert body["hits"] == []
        assert body["search"]["certified"] is True


def test_max_distance_cuts_the_list(client: TestClient) -> None:
    """The hits within the distance are those of the whole list that lie within it, its bound included."""
    whole = ask(client, segment_id=1, target="visual", k=999)["hits"]
    bound = whole[6]["distance"]
    cut = ask(client, segment_id=1, target="visual", k=999, max_distance=bound)["hits"]
    assert cut == [h for h in whole if h["distance"] <= bound]
    assert len(cut) >= 7


def test_grouping_by_video_gives_the_best_second_of_each(client: TestClient) -> None:
    """Each video once, with its best second, in the order of those."""
    whole = ask(client, segment_id=1, target="visual", k=999)["hits"]
    best: dict[str, int] = {}
    for hit in whole:
        best.setdefault(hit["video_id"], hit["segment_id"])
    grouped = ask(client, segment_id=1, target="visual", k=4, group_by="video")["hits"]
    assert [h["segment_id"] for h in grouped] == list(best.values())[:4]
    assert [h["rank"] for h in grouped] == [1, 2, 3, 4]
    everything = ask(client, segment_id=1, target="visual", k=99, group_by="video")["hits"]
    assert len(everything) == len(best)


def test_neighbouring_seconds_become_one_hit(client: TestClient) -> None:
    """Each run of the k nearest is one hit, from its first second to its last, ranked by its nearest."""
    whole = ask(client, segment_id=1, target="visual", k=12)["hits"]
    merged = ask(client, segment_id=1, target="visual", k=12, merge_adjacent=True)["hits"]
    nearest = {(h["video_id"], h["start_s"]): h for h in whole}
    spans = [(h["video_id"], second) for h in merged for second in range(h["start_s"], h["end_s"])]
    assert sorted(spans) == sorted(nearest)
    assert len(merged) < len(whole)
    for hit in merged:
        run = [nearest[hit["video_id"], second] for second in range(hit["start_s"], hit["end_s"])]
        assert (hit["distance"], hit["segment_id"]) == min((h["distance"], h["segment_id"]) for h in run)
        assert (hit["video_id"], hit["end_s"]) not in nearest
    assert [h["rank"] for h in merged] == list(range(1, len(merged) + 1))
    assert [h["distance"] for h in merged] == sorted(h["distance"] for h in merged)


def test_one_second_of_each_video_has_no_neighbours_to_merge(client: TestClient) -> None:
    """Both at once are refused rather than one of them passed over."""
    fields = {"segment_id": "1", "target": "visual", "group_by": "video", "merge_adjacent": "true"}
    answer = client.post("/retrieve", data=fields)
    assert answer.status_code == 422
    assert "merge_adjacent" in answer.json()["detail"]


def test_links_lead_to_what_they_say(client: TestClient) -> None:
    """Frame, sound and original of a hit can be fetched."""
    (hit,) = ask(client, segment_id=1, target="visual", k=1)["hits"]
    for name, kind in (("frame", "image/jpeg"), ("sound", "audio/wav"), ("original", "video/mp4")):
        answer = client.get(hit["links"][name])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
    assert hit["links"]["original"].endswith(f"#t={hit['start_s']},{hit['end_s']}")


def test_hits_come_as_csv(client: TestClient) -> None:
    """Accept: text/csv gives the same hits, a row each."""
    question = {"segment_id": "3", "target": "audio", "k": "5"}
    hits = client.post("/retrieve", data=question).json()["hits"]
    answer = client.post("/retrieve", data=question, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(r["segment_id"]) for r in rows] == [h["segment_id"] for h in hits]
    assert [float(r["distance"]) for r in rows] == [h["distance"] for h in hits]


def test_the_same_question_has_the_same_answer(client: TestClient, tmp_path: Path) -> None:
    """Nothing is drawn at inference: twice the same file, twice the same distances, to the last bit."""
    path = write_video(tmp_path / "v.mp4", 2.0, frame_at=lambda t: grey_frame(t))
    answers = [send(client, path, query_modality="visual", target="audio").json() for _ in range(2)]
    assert answers[0]["hits"] == answers[1]["hits"]
    assert answers[0]["query"] == answers[1]["query"]


def test_the_schema_names_every_route(client: TestClient) -> None:
    """OpenAPI lists the routes that the service is known by."""
    paths = client.get("/openapi.json").json()["paths"]
    known = {"/retrieve", "/localize", "/metrics/mrr", "/videos", "/videos/{video_id}", "/jobs"}
    assert known <= set(paths)


def test_paths_are_for_those_who_may_do_everything(own_library: Path) -> None:
    """Without keys on loopback and with an admin's key a hit has its path, in CSV too; with a reader's it has none."""
    _, admin = keys.create(own_library, "a", "admin")
    _, reader = keys.create(own_library, "b", "read")
    form = {"segment_id": "1", "target": "visual", "k": "1"}
    with serving(own_library) as client:
        for key, is_shown in ((admin, True), (reader, False)):
            headers = {"Authorization": f"Bearer {key}"}
            (hit,) = client.post("/retrieve", data=form, headers=headers).json()["hits"]
            assert (hit["file_path"] is not None) == is_shown
            answer = client.post("/retrieve", data=form, headers=headers | {"Accept": "text/csv"})
            (row,) = csv.DictReader(io.StringIO(answer.text))
            assert row["file_path"] == (hit["file_path"] or "")


def test_a_table_of_hits_runs_nothing(own_library: Path, tmp_path: Path) -> None:
    """A file's name that begins like a formula stays a text."""
    sound = write_sound(tmp_path / "=1+1.wav", tone(2, 16000), 16000)
    ingest_into(own_library, [Source(sound, sound.name)])
    with serving(own_library) as client:
        asked = {"target": "audio", "name": "1+1", "segment_id": "1"}
        rows = client.post("/retrieve", data=asked, headers={"Accept": "text/csv"}).text
        assert {row["file_name"] for row in csv.DictReader(io.StringIO(rows))} == {"'=1+1.wav"}
