"""/videos/{id}/excerpt, peaks, filmstrip.jpg, poster.jpg: how a stretch of a video sounds and looks."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import av
import httpx2
import numpy as np
import pytest
import soundfile
from media_samples import grey_at, loudest_hz, second_hz, stepped_tone, write_picture, write_sound, write_video
from PIL import Image
from service_samples import assert_answers, assert_problem, ingest_into, serving
from starlette.testclient import TestClient

from app.library.ingest import Source
from app.media import excerpts, peaks
from echolens.client import Client


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder: a film, one without sound, an AVI, sounds, a picture, a sound with a silent second."""
    folder = tmp_path_factory.mktemp("films")
    write_video(folder / "film.mp4", 6.0)
    write_video(folder / "mute.mp4", 3.0, sound=False)
    write_video(folder / "old.avi", 5.0)
    write_sound(folder / "song.wav", np.stack([stepped_tone(4.0, 44100)] * 2, axis=1), 44100, "PCM_24")
    write_picture(folder / "still.png")
    quiet = stepped_tone(3.0, 48000)
    quiet[48000:96000] = 0
    write_sound(folder / "pause.flac", quiet)
    return folder


@pytest.fixture(scope="module")
def served(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("filmed")
    outcomes = ingest_into(library, [Source(path, path.name) for path in sorted(films.iterdir())])
    assert {outcome.state for outcome in outcomes} == {"added"}, outcomes
    return library


@pytest.fixture(scope="module")
def client(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    copy = Path(shutil.copytree(served, tmp_path_factory.mktemp("served"), dirs_exist_ok=True))
    with serving(copy) as client:
        yield client


def id_of(client: TestClient, name: str) -> str:
    (video,) = client.get("/videos", params={"q": name}).json()["videos"]
    return str(video["video_id"])


def excerpt(client: TestClient, name: str, start_s: float, end_s: float, **headers: str) -> httpx2.Response:
    params = {"start_s": start_s, "end_s": end_s}
    return client.get(f"/videos/{id_of(client, name)}/excerpt", params=params, headers=headers)


def picture_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


@pytest.mark.parametrize("name", ["film.mp4", "old.avi"])
def test_an_excerpt_is_an_mp4_that_browsers_play(name: str, client: TestClient) -> None:
    """H.264 and AAC, index in front, with a name that says what it is; also of an AVI, which no browser plays."""
    answer = excerpt(client, name, 2, 4)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    stem = name.partition(".")[0]
    assert answer.headers["content-disposition"] == f"inline; filename*=utf-8''{stem}%200m02s-0m04s.mp4"
    assert answer.content.index(b"moov") < answer.content.index(b"mdat")
    with av.open(io.BytesIO(answer.content)) as made:
        codecs = [stream.codec_context.name for stream in made.streams]
        frames = [frame.to_ndarray(format="gray").mean() for frame in made.decode(video=0)]
    assert codecs == ["h264", "aac"]
    assert frames[0] == pytest.approx(grey_at(2.0), abs=7)


def test_a_sound_s_excerpt_is_a_wav_as_the_file_has_it(client: TestClient) -> None:
    """44,100 Hz, two channels, 24 bits, and the second that was asked for."""
    answer = excerpt(client, "song.wav", 1, 2)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    with soundfile.SoundFile(io.BytesIO(answer.content)) as sound:
        assert (sound.samplerate, sound.channels, sound.subtype, sound.frames) == (44100, 2, "PCM_24", 44100)
        assert loudest_hz(sound.read()[:, 0], 44100) == pytest.approx(second_hz(1), abs=2)


def test_an_excerpt_ends_with_its_video(client: TestClient) -> None:
    """What lies behind the end is left out."""
    with soundfile.SoundFile(io.BytesIO(excerpt(client, "song.wav", 3, 60).content)) as sound:
        assert sound.frames == 44100


def test_a_player_may_fetch_parts_and_ask_again(client: TestClient) -> None:
    """Range gives a part, If-None-Match 304, HEAD the size; the excerpt is made once."""
    whole = excerpt(client, "film.mp4", 1, 3)
    part = excerpt(client, "film.mp4", 1, 3, Range="bytes=4-7")
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert excerpt(client, "film.mp4", 1, 3, **{"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert excerpt(client, "film.mp4", 1, 2).headers["etag"] != whole.headers["etag"]
    url = f"/videos/{id_of(client, 'film.mp4')}/excerpt"
    head = client.head(url, params={"start_s": 1, "end_s": 3})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))
    assert excerpt(client, "film.mp4", 1, 3).content == whole.content


@pytest.mark.parametrize(
    ("start_s", "end_s", "words"),
    [(2, 2, "ends"), (3, 1, "ends"), (0, 121, "120 s"), (6, 7, "lasts"), (-1, 2, "start_s"), ("x", 2, "start_s")],
)
def test_an_impossible_excerpt_is_refused_in_words(
    start_s: object, end_s: object, words: str, client: TestClient
) -> None:
    """Empty, backwards, too long, behind the end, before the beginning, no number."""
    url = f"/videos/{id_of(client, 'film.mp4')}/excerpt"
    answer = client.get(url, params={"start_s": start_s, "end_s": end_s})
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert_answers(client)


def test_a_still_picture_has_no_excerpt(client: TestClient) -> None:
    """It says what to fetch instead."""
    assert_problem(excerpt(client, "still.png", 0, 1), 422, "query", "still picture", "original")


def test_an_excerpt_of_no_video_is_not_found(client: TestClient) -> None:
    """As of any other route of a video."""
    answer = client.get("/videos/0123456789abcdef/excerpt", params={"start_s": 0, "end_s": 1})
    assert_problem(answer, 404, "not_found", "0123456789abcdef")


def test_an_excerpt_needs_the_original_and_goes_with_its_video(films: Path, served: Path, tmp_path: Path) -> None:
    """Gone or replaced: 404 in words, though previews are there. Deleted: no excerpt stays on the disk."""
    library, film = tmp_path / "library", tmp_path / "film.mp4"
    shutil.copy(films / "film.mp4", film)
    ingest_into(library, [Source(film, film.name)])
    with serving(library) as client:
        assert excerpt(client, "film.mp4", 0, 2).status_code == 200
        assert len(list((library / "cache" / "excerpts").iterdir())) == 1
        film.write_bytes(film.read_bytes() + b"more")
        assert_problem(excerpt(client, "film.mp4", 0, 2), 404, "not_found", "replaced", "film.mp4")
        film.unlink()
        assert_problem(excerpt(client, "film.mp4", 0, 2), 404, "not_found", "film.mp4", "no longer")
        video = id_of(client, "film.mp4")
        assert client.get(f"/videos/{video}/filmstrip.jpg").status_code == 200
        assert client.get(f"/videos/{video}/peaks").status_code == 200
        assert client.delete(f"/videos/{video}").status_code == 204
    assert list((library / "cache" / "excerpts").iterdir()) == []


def test_a_file_that_cannot_be_decoded_is_told_by_its_own_name(films: Path, tmp_path: Path) -> None:
    """An upload lies under a name of the service's; the words name the person's file, and no half excerpt is left."""
    library, film = tmp_path / "library", tmp_path / "film.mp4"
    shutil.copy(films / "film.mp4", film)
    ingest_into(library, [Source(film, film.name)])
    film.write_bytes(b"\0" * film.stat().st_size)
    with serving(library) as client:
        answer = excerpt(client, "film.mp4", 0, 2)
        assert answer.status_code in (415, 422)
        assert "film.mp4" in answer.json()["detail"]
        assert_answers(client)
    assert list((library / "cache" / "excerpts").iterdir()) == []


def test_old_excerpts_make_room(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most bytes the one that was not asked for longest goes first; the newest stays."""
    monkeypatch.setattr(excerpts, "MOST_BYTES", 400_000)
    copy = Path(shutil.copytree(served, tmp_path / "library"))
    with serving(copy) as client:
        for end_s in (2, 3, 4):
            assert excerpt(client, "song.wav", 0, end_s).status_code == 200
    kept = [path.name for path in (copy / "cache" / "excerpts").iterdir()]
    assert len(kept) == 1
    assert "-0-4000-" in kept[0]


def test_peaks_are_the_largest_samples(client: TestClient) -> None:
    """A sine of amplitude 0.5: every peak is 0.5, as many as were asked for."""
    answer = Client(http=client).peaks(id_of(client, "song.wav"), start_s=1, length_s=2, per_s=10)
    assert (answer.start_s, answer.length_s, answer.per_s, len(answer.peaks)) == (1, 2, 10, 20)
    assert answer.peaks == pytest.approx([0.5] * 20, abs=0.02)


def test_peaks_end_with_the_video_and_are_zero_where_it_is_silent(client: TestClient) -> None:
    """The second of silence is zeros; a stretch of 60 s is as long as the file is."""
    told = client.get(f"/videos/{id_of(client, 'pause.flac')}/peaks", params={"per_s": 2}).json()
    assert told["length_s"] == pytest.approx(3)
    assert np.array(told["peaks"]) == pytest.approx([0.5, 0.5, 0, 0, 0.5, 0.5], abs=0.03)


def test_a_video_without_sound_has_flat_peaks(client: TestClient) -> None:
    """No error: a lane is drawn all the same."""
    assert set(client.get(f"/videos/{id_of(client, 'mute.mp4')}/peaks").json()["peaks"]) == {0}


def test_peaks_are_made_again(served: Path, tmp_path: Path) -> None:
    """Of the seconds' sounds, as of a library of an older release; of the original, where those are gone too."""
    copy = Path(shutil.copytree(served, tmp_path / "library"))
    with serving(copy) as client:
        video = id_of(client, "film.mp4")
        before = client.get(f"/videos/{video}/peaks").json()
        (copy / "previews" / video / peaks.FILE).unlink()
        assert client.get(f"/videos/{video}/peaks").json() == before
        shutil.rmtree(copy / "previews" / video)
        assert client.get(f"/videos/{video}/peaks").json()["peaks"] == pytest.approx(before["peaks"], abs=0.03)


def test_the_peaks_of_a_day_take_a_moment(tmp_path: Path) -> None:
    """24 hours become a screen's width of peaks without reading 86,400 sounds."""
    np.tile(np.arange(100, dtype=np.uint8) + 100, 86_400).tofile(tmp_path / peaks.FILE)
    started_s = time.thread_time()
    found = peaks.peaks_of(peaks.read_cells(tmp_path, 0, 86_400), 0.0, 86_400.0, 0.01)
    assert time.thread_time() - started_s < 1
    assert found == pytest.approx([(199 / 255) ** 2] * 864)


def test_too_many_peaks_are_refused(films: Path, tmp_path: Path) -> None:
    """An answer has a size: at most 20,000 peaks, and the words say what to ask for instead."""
    long = write_sound(tmp_path / "long.wav", np.tile(stepped_tone(10.0, 8000), 21), 8000)
    ingest_into(tmp_path / "library", [Source(long, long.name)])
    with serving(tmp_path / "library") as client:
        url = f"/videos/{id_of(client, 'long.wav')}/peaks"
        assert_problem(client.get(url, params={"length_s": 210, "per_s": 100}), 422, "query", "20000", "fewer")
        assert len(client.get(url, params={"length_s": 210, "per_s": 4}).json()["peaks"]) == 840


@pytest.mark.parametrize("asked", [{"per_s": 0}, {"per_s": 101}, {"length_s": 0}, {"start_s": -1}, {"start_s": 99}])
def test_impossible_peaks_are_refused(asked: dict[str, float], client: TestClient) -> None:
    """Out of range, or behind the end."""
    answer = client.get(f"/videos/{id_of(client, 'film.mp4')}/peaks", params=asked)
    assert answer.status_code == 422
    assert next(iter(asked)) in answer.json()["detail"]


def test_peaks_of_any_stretch_are_those_of_its_samples() -> None:
    """Against a plain loop, at rates that do not divide 100 and starts within a second."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (7, 100)).astype(np.uint8)
    for from_s, length_s, per_s in ((0.0, 7.0, 20.0), (0.35, 3.3, 7.0), (2.0, 1.0, 100.0), (0.0, 7.0, 0.1)):
        found = peaks.peaks_of(cells, from_s, length_s, per_s)
        flat = cells.ravel()
        assert len(found) == int(np.ceil(length_s * per_s - 1e-6))
        for number, peak in enumerate(found):
            begin_s, end_s = from_s + number / per_s, from_s + min((number + 1) / per_s, length_s)
            own = flat[int(np.floor(begin_s * 100 + 1e-6)) : int(np.ceil(end_s * 100 - 1e-6))]
            assert peak == pytest.approx((own.max() / 255) ** 2)


def test_a_filmstrip_shows_its_seconds_in_order(client: TestClient) -> None:
    """Three frames of 6 s side by side: those of seconds 1, 3 and 5, all as wide as the picture's shape says."""
    strip = picture_of(Client(http=client).filmstrip(id_of(client, "film.mp4"), frames=3, height=48))
    assert strip.shape == (48, 3 * 64)
    greys = [strip[:, 64 * n + 8 : 64 * n + 56].mean() for n in range(3)]
    assert greys == pytest.approx([grey_at(second + 0.48) for second in (1, 3, 5)], abs=5)


def test_a_filmstrip_is_not_sent_twice(client: TestClient) -> None:
    """304 for the same frames, another tag for others."""
    url = f"/videos/{id_of(client, 'film.mp4')}/filmstrip.jpg"
    first = client.get(url)
    assert client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert client.get(url, params={"height": 40}).headers["etag"] != first.headers["etag"]
    assert client.head(url).headers["content-type"] == "image/jpeg"


def test_a_filmstrip_is_made_of_the_original_where_previews_are_gone(served: Path, tmp_path: Path) -> None:
    """The same moments, within what JPEG costs; grey where the original is gone too, and 404 where all are."""
    copy = Path(shutil.copytree(served, tmp_path / "library"))
    with serving(copy) as client:
        video = id_of(client, "old.avi")
        url = f"/videos/{video}/filmstrip.jpg"
        before = picture_of(client.get(url, params={"frames": 5}).content).astype(int)
        shutil.rmtree(copy / "previews" / video)
        again = picture_of(client.get(url, params={"frames": 5}).content).astype(int)
        assert np.abs(again - before).max() <= 8


def test_posters_and_tracks_are_told(client: TestClient) -> None:
    """A list of videos says what each has, and leads to a picture of what can be seen."""
    told = client.get("/videos")
    videos = {video["file_name"]: video for video in told.json()["videos"]}
    tracks = {name: (video["has_sound"], video["has_picture"]) for name, video in videos.items()}
    assert tracks == {
        "film.mp4": (True, True),
        "mute.mp4": (False, True),
        "old.avi": (True, True),
        "song.wav": (True, False),
        "pause.flac": (True, False),
        "still.png": (False, True),
    }
    assert videos["song.wav"]["poster"] is None
    for name in ("film.mp4", "still.png"):
        poster = client.get(urljoin(str(told.url), videos[name]["poster"]), params={"height": 48})
        assert (poster.headers["content-type"], picture_of(poster.content).shape) == ("image/jpeg", (48, 64))
    missing = client.get(f"/videos/{videos['song.wav']['video_id']}/poster.jpg")
    assert_problem(missing, 404, "not_found", "no picture")


def test_hits_lead_to_posters(client: TestClient) -> None:
    """null where the video has no picture."""
    answer = client.post("/retrieve", data={"segment_id": 1, "query_modality": "audio", "target": "audio", "k": 50})
    links = {hit["file_name"]: hit["links"]["poster"] for hit in answer.json()["hits"]}
    assert links["song.wav"] is None
    assert client.get(urljoin(str(answer.url), links["film.mp4"])).status_code == 200
