"""POST /generate: the pair that the model imagines."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import httpx2
import numpy as np
import pytest
import soundfile
import torch
from media_samples import tone, write_picture, write_sound
from PIL import Image
from service_samples import Command, assert_problem, serving
from starlette.testclient import TestClient

from app.media.timings import Timings
from app.queries.generation import Generation
from app.queries.query import EncodedQuery, Query
from app.queries.work import Serving
from app.schemas.generation import GenerateAnswer
from model.data.latents import Latents
from model.frontends.frontend import FrontEnd
from model.frontends.raw import RawFrontEnd
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder


def ask(client: TestClient, accept: str = "*/*", file: Path | None = None, **fields: object) -> httpx2.Response:
    files = {"file": (file.name, file.read_bytes())} if file else None
    form = {name: str(value) for name, value in fields.items()}
    return client.post("/generate", files=files, data=form, headers={"Accept": accept})


def test_a_sound_s_picture_is_imagined_in_the_front_end_s_units(client: TestClient, tmp_path: Path) -> None:
    """Features have the raw front-end's shapes and units, and PNG and WAV are made of exactly those."""
    answer = ask(client, file=write_sound(tmp_path / "s.wav", tone(2)))
    assert answer.status_code == 200, answer.text
    body = GenerateAnswer.model_validate_json(answer.content)
    audio, visual = (np.array(h.values).reshape(h.shape) for h in (body.features.audio, body.features.visual))
    assert (audio.shape, visual.shape) == (RawFrontEnd.audio_shape, RawFrontEnd.visual_shape)
    assert audio.min() < -3, "log10 of power, not standard units, whose mean is 0"
    assert 0 < visual.mean() < 1
    picture = np.asarray(Image.open(io.BytesIO(body.frame_png)))
    np.testing.assert_array_equal(picture, np.rint(255 * visual.clip(0, 1)).astype(np.uint8).transpose(1, 2, 0))
    samples, rate_hz = soundfile.read(io.BytesIO(body.sound_wav))
    assert (samples.shape, rate_hz) == ((16000,), 16000)
    assert body.query.modality == "audio"
    assert {"decode", "features", "encode", "generate", "total"} <= set(body.timings_ms)
    assert base64.b64decode(answer.json()["frame_png"]) == body.frame_png


def test_a_second_of_the_library_is_a_query_by_either_modality(client: TestClient) -> None:
    """`segment_id` gives what its stored latent generates; sound and picture imagine different pairs."""
    heard, seen = (ask(client, segment_id=3, query_modality=m).json() for m in ("audio", "visual"))
    assert heard["query"]["modality"] == "audio"
    assert heard["features"]["visual"]["values"] != seen["features"]["visual"]["values"]
    assert heard["query"]["fingerprint"] == client.get("/health/ready").json()["fingerprint"]


@pytest.mark.parametrize(("accept", "field"), [("image/png", "frame_png"), ("audio/wav;q=0.9, */*", "sound_wav")])
def test_the_picture_or_the_sound_alone(client: TestClient, tmp_path: Path, accept: str, field: str) -> None:
    """What is accepted first decides; the bytes are those of the JSON."""
    query = write_picture(tmp_path / "p.png")
    alone, whole = ask(client, accept, query), ask(client, "application/json, image/png", query)
    assert alone.headers["content-type"] == accept.partition(";")[0]
    assert alone.content == base64.b64decode(whole.json()[field])


def test_questions_that_make_no_sense_are_refused(client: TestClient, footage: list[Path]) -> None:
    """Neither or both queries, a video that is not told how, an unknown second, a second that is not there."""
    assert_problem(ask(client), 422, "query", "file", "segment_id")
    assert_problem(ask(client, file=footage[0], segment_id=1), 422, "query")
    assert_problem(ask(client, file=footage[0]), 422, "query", "query_modality")
    assert_problem(ask(client, file=footage[0], query_modality="audio", at_s=99), 422, "query", "99")
    assert_problem(ask(client, segment_id=99999), 404, "not_found", "99999")


def test_an_empty_library_can_imagine(tmp_path: Path) -> None:
    """A new library has the shipped model: a file needs no footage beside it."""
    with serving(tmp_path / "new") as client:
        assert ask(client, "image/png", write_sound(tmp_path / "s.wav")).status_code == 200


class Deaf(RawFrontEnd):
    """A front-end whose features determine neither sound nor picture."""

    sound = FrontEnd.sound
    picture = FrontEnd.picture


def test_a_front_end_that_cannot_go_back_gives_features_alone(
    own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Null in the JSON; a PNG alone is refused with 406, and the advice to ask for JSON."""
    monkeypatch.setattr("app.library.session.make_front_end", lambda name, place: Deaf())
    query = write_sound(tmp_path / "s.wav")
    with serving(own_library) as client:
        body = ask(client, file=query).json()
        assert (body["frame_png"], body["sound_wav"]) == (None, None)
        assert len(body["features"]["audio"]["values"]) == 64 * 32
        assert_problem(ask(client, "image/png", query), 406, "not_acceptable", "image/png", "application/json")


def test_generated_features_are_standard_units_undone(library: Path) -> None:
    """The halves are [visual | audio]; what is given back, standardized again, is the decoder's output."""
    (path,) = (library / "checkpoints").glob("*.json")
    encoder = Encoder(Checkpoint.load(path), torch.device("cpu"))
    random = np.random.default_rng(0)
    features = random.uniform(-8, 0, (1, 64, 32)).astype(np.float32)
    latents: Latents = encoder.latents("audio", features)
    asked = EncodedQuery("audio", latents)
    found = Generation(Query()).finish(Serving(encoder, None), asked, None, Timings())
    n = encoder.checkpoint.normalization
    for name, half in (("visual", latents.generated[0, :3072]), ("audio", latents.generated[0, 3072:])):
        mean, scale = n.get_buffer(f"{name}_mean").numpy(), float(n.get_buffer(f"{name}_scale"))
        again = (getattr(found, name) - mean) / scale
        np.testing.assert_allclose(again.ravel(), half, atol=1e-4)


def test_the_command_line_imagines_too(echolens: Command, library: Path, client: TestClient, tmp_path: Path) -> None:
    """`echolens generate FILE --out DIR` writes what the route answers; a directory that cannot be made is said."""
    query, out = write_sound(tmp_path / "s.wav", tone(2)), tmp_path / "new" / "out"
    ran = echolens("generate", query, "--out", out, "--library", library)
    assert ran.code == 0, ran.err
    answer = GenerateAnswer.model_validate_json(ask(client, file=query).content)
    assert (out / "frame.png").read_bytes() == answer.frame_png
    assert (out / "sound.wav").read_bytes() == answer.sound_wav
    with np.load(out / "features.npz") as features:
        assert features["visual"].shape == tuple(answer.features.visual.shape)
    (tmp_path / "file").write_text("in the way")
    assert echolens("generate", query, "--out", tmp_path / "file", "--library", library).code == 4
