"""What cannot be answered: each fault by its own status, code and advice, and the service goes on after it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from media_samples import stepped_tone, tone, write_picture, write_sound, write_video
from service_samples import CLIP_S, assert_answers, assert_problem, ended_job, send, serving, upload
from starlette.testclient import TestClient

from index.library import Library
from model.media.mp4 import write_mp4

Make = Callable[[Path], object]


@pytest.fixture(autouse=True)
def service_goes_on(client: TestClient) -> Iterator[None]:
    """After every test of this file the service still answers."""
    yield
    assert_answers(client)


def ended(client: TestClient, job_id: str) -> dict[str, str]:
    result: dict[str, str] = ended_job(client, job_id)["result"]
    return result


def png_head(path: Path, side: int = 30_000) -> None:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_without_index(path: Path) -> None:
    write_video(path, 2.0)
    halve(path)


def cut_with_index_in_front(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 48, 64, 3), dtype=np.uint8)
    write_mp4(path, noise, 10.0, stepped_tone(5), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])  # over half of the recording is lost


def sound_with_nan(path: Path) -> None:
    samples = tone(2)
    samples[20_000] = np.nan
    write_sound(path, samples, 16000, "FLOAT")


BAD_FILES: dict[str, tuple[str, Make, str, int, str]] = {
    "empty": ("clip.wav", lambda p: p.write_bytes(b""), "audio", 415, "empty_file"),
    "text named mp4": ("clip.mp4", lambda p: p.write_text("A text. " * 200), "visual", 415, "not_a_medium"),
    "mp4 without index": ("clip.mp4", cut_without_index, "visual", 422, "damaged"),
    "mp4 cut behind its index": ("clip.mp4", cut_with_index_in_front, "visual", 422, "damaged"),
    "tenth of a second": (
        "clip.wav",
        lambda p: write_sound(p, tone(0.1), 16000),
        "audio",
        422,
        "too_short",
    ),
    "silence": ("clip.wav", lambda p: write_sound(p, np.zeros(32_000), 16000), "audio", 422, "silent"),
    "nan": ("clip.wav", sound_with_nan, "audio", 422, "not_finite"),
    "one pixel": (
        "clip.png",
        lambda p: write_picture(p, np.zeros((1, 1, 3), np.uint8)),
        "visual",
        422,
        "too_small",
    ),
    "huge picture": ("clip.png", png_head, "visual", 413, "too_large"),
    "no sound track": ("clip.mp4", lambda p: write_video(p, 1.0, sound=False), "audio", 422, "no_sound_track"),
    "no picture": ("clip.wav", write_sound, "visual", 422, "no_picture"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_query_is_refused_by_name(client: TestClient, tmp_path: Path, fault: str) -> None:
    """The file's name is in the detail, not that of a temporary file; the status is that of the fault."""
    name, make, modality, status, code = BAD_FILES[fault]
    make(tmp_path / name)
    answer = send(client, tmp_path / name, query_modality=modality, target="visual")
    if code != "not_finite":  # it tells the time instead
        assert name in answer.json()["detail"]
    assert_problem(answer, status, code)
    assert "/tmp" not in answer.text


@pytest.mark.parametrize("fault", [f for f in BAD_FILES if not f.startswith(("silence", "no "))])
def test_bad_footage_is_refused_or_its_job_fails(
    client: TestClient, own_library: Path, tmp_path: Path, fault: str
) -> None:
    """POST /videos refuses what its head gives away; what only decoding shows is the job's failure."""
    name, make, _, status, code = BAD_FILES[fault]
    make(tmp_path / name)
    with serving(own_library) as client:
        answer = upload(client, tmp_path / name)
        if answer.status_code == 202:
            result = ended(client, answer.json()["job_id"])
            assert (result["code"], result["state"]) == (code, "failed")
            assert "upload-" not in result["detail"]
        else:
            assert_problem(answer, status, code, name)
            assert "upload-" not in answer.text
        assert client.get("/videos").json()["total"] == 6
    assert list((own_library / "media").iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"k": "0"}, "k"),
        ({"k": "-3"}, "k"),
        ({"k": "many"}, "k"),
        ({"k": "1.5"}, "k"),
        ({"k": "1001"}, "k"),
        ({"k": "9" * 40}, "k"),
        ({"target": "smell"}, "target"),
        ({"query_modality": "touch"}, "query_modality"),
        ({"group_by": "day"}, "group_by"),
        ({"at_s": "nan"}, "at_s"),
        ({"at_s": "inf"}, "at_s"),
        ({"at_s": "-1"}, "at_s"),
        ({"max_distance": "nan"}, "max_distance"),
        ({"max_distance": "inf"}, "max_distance"),
        ({"max_distance": "-1"}, "max_distance"),
        ({"after_s": "nan"}, "after_s"),
        ({"before_s": "-inf"}, "before_s"),
        ({"segment_id": "first"}, "segment_id"),
    ],
    ids=str,
)
def test_a_field_out_of_range_is_named(client: TestClient, fields: dict[str, str], field: str) -> None:
    """422, and the detail names the field."""
    question = {"segment_id": "1", "target": "visual"} | fields
    answer = client.post("/retrieve", data=question)
    assert_problem(answer, 422, answer.json()["code"], field)
    assert answer.json()["code"] in ("invalid_request", "query")


@pytest.mark.parametrize("at_s", [5, 5.0, 1e4, 1e300])
def test_a_second_behind_the_end_is_refused(client: TestClient, footage: list[Path], at_s: float) -> None:
    """A clip of five seconds has no second 5."""
    answer = send(client, footage[0], target="visual", query_modality="visual", at_s=at_s)
    assert_problem(answer, 422, "query", "at_s", footage[0].name)


def test_a_target_is_needed(client: TestClient) -> None:
    """What to find is not guessed."""
    assert_problem(client.post("/retrieve", data={"segment_id": "1"}), 422, "invalid_request", "target")


def test_a_video_needs_to_be_told_how_to_ask(client: TestClient, footage: list[Path]) -> None:
    """A video has a sound and a look."""
    assert_problem(send(client, footage[0], target="visual"), 422, "query", "query_modality")


def test_a_file_and_a_segment_are_one_too_many(client: TestClient, footage: list[Path]) -> None:
    """Both, and neither, are refused with the same advice."""
    both = send(client, footage[0], target="visual", query_modality="visual", segment_id=1)
    assert_problem(both, 422, "query", "either a file or a segment_id")
    neither = client.post("/retrieve", data={"target": "visual"})
    assert_problem(neither, 422, "query", "either a file or a segment_id")


@pytest.mark.parametrize("segment_id", [0, -1, 999_999, 2**63, 10**30])
def test_an_unknown_segment_is_not_found(client: TestClient, segment_id: int) -> None:
    """Whatever the number, on every route that takes one."""
    question = {"segment_id": str(segment_id), "target": "visual"}
    for answer in (
        client.post("/retrieve", data=question),
        client.get(f"/segments/{segment_id}/frame.jpg"),
        client.get(f"/segments/{segment_id}/sound.wav"),
    ):
        assert_problem(answer, 404, "not_found", str(segment_id))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"query_start_s": 4, "query_length_s": 2}, "within [0, 5)"),
        ({"query_start_s": -1, "query_length_s": 2}, "within [0, 5)"),
        ({"query_start_s": 0, "query_length_s": 0}, "at least 1 s"),
        ({"query_start_s": 0, "query_length_s": 99}, "within [0, 5)"),
        ({"query_start_s": 10**30, "query_length_s": 1}, "within [0, 5)"),
        ({"query_start_s": 1}, "query_length_s"),
        ({}, "second file"),
    ],
    ids=str,
)
def test_a_stretch_outside_the_clip_is_refused(
    client: TestClient, footage: list[Path], fields: dict[str, int], words: str
) -> None:
    """/localize says which stretches there are."""
    files = {"video": ("clip.mp4", footage[0].read_bytes())}
    data = {"direction": "a2v"} | {k: str(v) for k, v in fields.items()}
    assert_problem(client.post("/localize", files=files, data=data), 422, "query", words)


def test_an_unknown_direction_is_refused(client: TestClient, footage: list[Path]) -> None:
    """There are two directions."""
    files = {"video": ("clip.mp4", footage[0].read_bytes())}
    data = {"direction": "v2v", "query_start_s": "0", "query_length_s": "1"}
    answer = client.post("/localize", files=files, data=data)
    assert_problem(answer, 422, "invalid_request", "direction", "a2v", "v2a")


def test_a_query_file_longer_than_the_clip_is_refused(client: TestClient, footage: list[Path], tmp_path: Path) -> None:
    """Seven seconds do not fit into five."""
    sound = write_sound(tmp_path / "s.wav", stepped_tone(7, 16000), 16000)
    files = {
        "video": ("clip.mp4", footage[0].read_bytes()),
        "query": ("s.wav", sound.read_bytes()),
    }
    answer = client.post("/localize", files=files, data={"direction": "a2v"})
    assert_problem(answer, 422, "query", "7 s", f"{CLIP_S} s")
    data = {"direction": "a2v", "query_start_s": "0", "query_length_s": "1"}
    assert_problem(client.post("/localize", files=files, data=data), 422, "query", "not both")


def test_a_clip_without_what_is_asked_cannot_be_searched(client: TestClient, tmp_path: Path) -> None:
    """A mute video, a sound without a picture, and a clip over a minute."""
    mute = write_video(tmp_path / "mute.mp4", 3.0, sound=False)
    sound = write_sound(tmp_path / "s.wav", stepped_tone(61, 16000), 16000)
    data = {"query_start_s": "0", "query_length_s": "1"}
    for path, direction, code in (
        (mute, "a2v", "no_sound_track"),
        (mute, "v2a", "no_sound_track"),
        (sound, "a2v", "no_picture"),
        (sound, "v2a", "no_picture"),
    ):
        files = {"video": (path.name, path.read_bytes())}
        answer = client.post("/localize", files=files, data=data | {"direction": direction})
        assert_problem(answer, 422, code, path.name)
    picture = write_picture(tmp_path / "p.png")
    files = {"video": (sound.name, sound.read_bytes()), "query": (picture.name, picture.read_bytes())}
    assert_problem(client.post("/localize", files=files, data={"direction": "v2a"}), 422, "too_long", sound.name)


def test_an_empty_library_says_so(tmp_path: Path, footage: list[Path]) -> None:
    """409: nothing to search, nothing to measure; /localize needs no library and answers."""
    with serving(tmp_path / "new") as client:
        answer = send(client, footage[0], target="visual", query_modality="audio")
        assert_problem(answer, 409, "empty_library", "echolens ingest")
        assert client.get("/metrics/mrr").status_code == 409
        files = {"video": ("clip.mp4", footage[0].read_bytes())}
        data = {"direction": "a2v", "query_start_s": "0", "query_length_s": "1"}
        assert client.post("/localize", files=files, data=data).status_code == 200


def test_an_untrained_library_says_so(tmp_path: Path, footage: list[Path]) -> None:
    """409 with the command that trains, on every route that needs a model; footage can be added."""
    with Library.open(tmp_path) as library:
        library.catalogue.set_identity("raw", None)
    with serving(tmp_path) as client:
        job = upload(client, footage[0]).json()
        assert ended(client, job["job_id"])["state"] == "added"
        files = {"video": ("clip.mp4", footage[0].read_bytes())}
        data = {"direction": "a2v", "query_start_s": "0", "query_length_s": "1"}
        for answer in (
            send(client, footage[0], target="visual", query_modality="audio"),
            client.post("/retrieve", data={"segment_id": "1", "target": "audio"}),
            client.post("/localize", files=files, data=data),
            client.get("/metrics/mrr"),
        ):
            assert_problem(answer, 409, "untrained_library", "echolens train")


ODD_NAMES = {
    "traversal": ("../../etc/passwd.wav", "passwd.wav"),
    "backslashes": ("..\\..\\boot.wav", "boot.wav"),
    "absolute": ("/etc/shadow", "shadow"),
    "umlauts": ("Größe 東京 🔔.wav", "Größe 東京 🔔.wav"),
    "long": ("x" * 296 + ".wav", "x" * 96 + ".wav"),
    "long and wide": ("東" * 300 + ".wav", None),
    "line break": ("a\r\nb.wav", None),
    "nul": ("a\0b.wav", None),
}


@pytest.mark.parametrize("odd", ODD_NAMES)
def test_odd_names_are_only_names(client: TestClient, own_library: Path, tmp_path: Path, odd: str) -> None:
    """A name never leads anywhere: the query is answered, and the footage lies in media/ under our own name."""
    name, kept = ODD_NAMES[odd]
    path = write_sound(tmp_path / "s.wav", tone(1.5) + 0.01, 16000)
    answer = send(client, path, name, target="visual", k=1)
    assert answer.status_code == 200, answer.text
    with serving(own_library) as other:
        result = ended(other, upload(other, path, name).json()["job_id"])
        video = other.get(f"/videos/{result['video_id']}").json()
        assert other.get(video["original"]).content == path.read_bytes()
    assert "/" not in video["file_name"]
    assert kept is None or video["file_name"] == kept
    (stored,) = (own_library / "media").iterdir()
    assert stored.name.startswith("upload-")


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/.."])
def test_a_name_that_is_none_is_refused_or_replaced(client: TestClient, tmp_path: Path, name: str) -> None:
    """No name at all is a problem with advice, never an error of the service."""
    path = write_sound(tmp_path / "s.wav")
    for answer in (send(client, path, name, target="visual"), upload(client, path, name)):
        assert answer.status_code == 422
        assert_problem(answer, 422, answer.json()["code"], "file")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"--x\r\nContent-Disposition: form-data; name=", "multipart/form-data; boundary=x"),
        (b"no part at all", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b"\xff\xfe" * 50, "multipart/form-data; boundary=y"),
        (b'{"target": "visual"}', "application/json"),
        (b"", "application/octet-stream"),
    ],
    ids=["cut", "none", "no boundary", "bytes", "json", "nothing"],
)
@pytest.mark.parametrize("route", ["/retrieve", "/localize", "/videos"])
def test_a_broken_body_is_the_sender_s_fault(client: TestClient, content: bytes, kind: str, route: str) -> None:
    """400 or 422, never 500."""
    answer = client.post(route, content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.status_code, answer.json()["code"])


def test_a_field_that_should_be_a_file(client: TestClient) -> None:
    """A text in the place of the file is refused by name."""
    answer = client.post("/retrieve", data={"file": "clip.mp4", "target": "visual"})
    assert_problem(answer, 422, "invalid_request", "file")


def test_an_unknown_route_is_a_problem(client: TestClient) -> None:
    """404, and the detail says where the routes are listed."""
    assert_problem(client.get("/nowhere"), 404, "http_404", "/nowhere", "/openapi.json")


def test_a_wrong_method_is_a_problem(client: TestClient) -> None:
    """405 with the methods that there are."""
    answer = client.get("/retrieve")
    assert_problem(answer, 405, "http_405", "GET", "/openapi.json")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("seed", ["-1", "x", str(2**70)])
def test_a_seed_out_of_range_is_refused_or_used(client: TestClient, seed: str) -> None:
    """A negative seed or a text is 422; a large one is a seed."""
    answer = client.get("/metrics/mrr", params={"seed": seed})
    if seed == str(2**70):
        assert answer.status_code == 200
    else:
        assert_problem(answer, 422, "invalid_request", "seed")
