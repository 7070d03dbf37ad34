"""`pe-av` with a tiny random model: it prepares, embeds and refuses as it should. No weights, no network."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from media_samples import gradient, tone
from PIL import Image

from model.errors import FrontEndError, NotFinite, QueryError
from model.frontends.pe_av_files import REPOSITORIES, Preparation
from model.frontends.registry import has_weights, make_front_end
from model.media.segments import Segment

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'echolens[peav]'")
from pe_av_samples import MOST_TOKENS, PREPARATION, TIMM_VISION, WIDTH, byte_tokenizer, save_tiny_pe_av, without_timm
from safetensors.torch import load_file, save_file

from model.frontends.pe_av import PeAvFrontEnd, pixels


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have a ViT in place of timm's tower, and an empty cache in place of the hub's."""
    without_timm(monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def tiny(tmp_path: Path) -> Any:
    """Save a tiny model where `pe-av` finds it, and return it."""
    return save_tiny_pe_av(tmp_path / "pe-av")


def rewrite(path: Path, change: Any) -> None:
    """Change the tensors of a saved model."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


def test_embeddings_are_those_of_the_whole_model(tiny: Any, tmp_path: Path) -> None:
    """Sound and picture together, through the model's own forward pass, give the same, before unit length."""
    front_end = make_front_end("pe-av", tmp_path)
    assert isinstance(front_end, PeAvFrontEnd)
    assert front_end.audio_shape == front_end.visual_shape == (WIDTH,)
    sound, frame = tone(1.0), gradient(32, 32)
    # Three samples for one: of a slow tone, those between two are nearly a tone of the same pitch at 48 kHz.
    fine = torch.from_numpy(tone(1.0, 48_000))[None, None]
    normal = (frame / 255 - PREPARATION["image_mean"]) / PREPARATION["image_std"]
    video = torch.from_numpy(normal.transpose(2, 0, 1)[None, None]).float()
    with torch.no_grad():
        whole = tiny(input_values=fine, pixel_values_videos=video)
    found_both = front_end.audio(sound), front_end.visual(frame)
    for found, expected in zip(found_both, (whole.audio_embeds, whole.video_embeds), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(found), 1, rtol=1e-6)
        cosine = float(found @ (expected[0] / expected[0].norm()).numpy())
        assert cosine > 0.999, cosine


def test_the_tower_of_timm_sees_the_frames(tmp_path: Path) -> None:
    """A tiny one of the architecture that PE-AV has, in place of the ViT: it embeds as the whole model does."""
    pytest.importorskip("timm", reason="timm is not installed: pip install 'echolens[peav]'")
    tiny = save_tiny_pe_av(tmp_path / "pe-av", vision=TIMM_VISION)
    front_end, frame = make_front_end("pe-av", tmp_path), gradient(32, 32)
    tower = front_end._video.video_encoder.embedder.vision_model  # type: ignore[attr-defined]
    assert type(tower).__name__ == "TimmWrapperForImageClassification"
    normal = (frame / 255 - PREPARATION["image_mean"]) / PREPARATION["image_std"]
    video = torch.from_numpy(normal.transpose(2, 0, 1)[None, None]).float()
    with torch.no_grad():
        expected = tiny(input_values=torch.zeros(1, 1, 48_000), pixel_values_videos=video).video_embeds[0]
    assert float(front_end.visual(frame) @ (expected / expected.norm()).numpy()) > 0.9999


def test_texts_are_those_of_the_whole_model(tiny: Any, tmp_path: Path) -> None:
    """For sounds and for pictures there is a head each; both as the model's own forward pass gives them."""
    front_end = make_front_end("pe-av", tmp_path)
    words = "a dog barks, then it rains"
    tokens = torch.tensor([[0, *byte_tokenizer().encode(words, add_special_tokens=False).ids, 1]])
    sound, video = torch.zeros(1, 1, 48_000), torch.zeros(1, 1, 3, 32, 32)
    with torch.no_grad():
        whole = tiny(input_values=sound, pixel_values_videos=video, input_ids=tokens)
    both = {"audio": whole.text_audio_embeds, "visual": whole.text_video_embeds}
    for target, expected in both.items():
        found = front_end.text(words, target)  # type: ignore[arg-type]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, (expected[0] / expected[0].norm()).numpy(), atol=1e-6)
        assert found.tobytes() == front_end.text(words, target).tobytes()  # type: ignore[arg-type]


def test_words_become_the_tokens_of_the_models_own_processor(tiny: Any, tmp_path: Path) -> None:
    """Read from tokenizer.json alone, they are those of transformers."""
    from transformers import AutoTokenizer

    front_end = make_front_end("pe-av", tmp_path)
    words, own = "a dog\u2019s bark", AutoTokenizer.from_pretrained(tmp_path / "pe-av", local_files_only=True)
    assert front_end._tokenizer.encode(words).ids == own(words)["input_ids"]  # type: ignore[attr-defined]


def test_a_text_that_the_model_cannot_read_whole_is_refused(tiny: Any, tmp_path: Path) -> None:
    """It is not cut: the error says how many tokens it has, and how many are read."""
    front_end = make_front_end("pe-av", tmp_path)
    assert front_end.text("x" * (MOST_TOKENS - 2), "audio") is not None
    with pytest.raises(QueryError, match=rf"a text of {MOST_TOKENS + 1} tokens given.* pe-av reads {MOST_TOKENS}: "):
        front_end.text("x" * (MOST_TOKENS - 1), "audio")


def test_frames_are_prepared_as_the_configuration_says() -> None:
    """The whole frame is squeezed to the size, scaled to 0..1, and normalized by channel."""
    preparation = Preparation(20, 10, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2), 1)
    prepared = pixels(np.full((48, 64, 3), (255, 102, 0), np.uint8), preparation)
    assert prepared.shape == (3, 10, 20)
    np.testing.assert_allclose(prepared.amin((1, 2)), [1, 0, -1.5], atol=1e-5)
    np.testing.assert_allclose(prepared.amax((1, 2)), [1, 0, -1.5], atol=1e-5)


def test_frames_are_prepared_as_the_models_processor_does() -> None:
    """Within one level of 255: Pillow and torchvision round their sums apart."""
    pytest.importorskip("torchvision", reason="torchvision is not installed: pip install 'echolens[peav]'")
    from transformers import PeVideoVideoProcessor

    size = {"height": 36, "width": 36}
    steps = dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), True)
    processor = PeVideoVideoProcessor(
        size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_sample_frames=False, **steps
    )
    frame = np.array(Image.effect_noise((64, 48), 60).convert("RGB"))
    expected = processor(videos=[frame[None]], return_tensors="pt")["pixel_values_videos"][0, 0]
    found = pixels(frame, Preparation(36, 36, (0.5,) * 3, (0.5,) * 3, 1))
    assert (found - expected).abs().max() <= 1.01 * 2 / 255


def test_a_model_for_a_number_of_frames_gets_that_many(tmp_path: Path) -> None:
    """Four equal frames give another embedding than one: the encoder sees a longer video."""
    save_tiny_pe_av(tmp_path / "pe-av")
    save_tiny_pe_av(tmp_path / "other" / "pe-av", num_frames=4)
    one, four = (make_front_end("pe-av", directory) for directory in (tmp_path, tmp_path / "other"))
    assert four._preparation.frames == 4  # type: ignore[attr-defined]
    assert one.identity != four.identity
    assert not np.allclose(one.visual(gradient()), four.visual(gradient()), atol=1e-4)


def test_the_same_second_has_the_same_bits_in_any_thread(tiny: Any, tmp_path: Path) -> None:
    """However many threads torch has, and whoever calls."""
    front_end = make_front_end("pe-av", tmp_path)
    sound, frame = tone(1.0), gradient()
    expected = front_end.audio(sound).tobytes() + front_end.visual(frame).tobytes()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                found = pool.submit(front_end.audio, sound).result(), pool.submit(front_end.visual, frame).result()
                assert b"".join(row.tobytes() for row in found) == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
def test_other_kernels_round_otherwise_and_are_no_change(tiny: Any, tmp_path: Path) -> None:
    """Without oneDNN sums have another order: the bits differ, by no more than known answers may."""
    first = make_front_end("pe-av", tmp_path)
    with torch.backends.mkldnn.flags(enabled=False):
        again = make_front_end("pe-av", tmp_path)
        found, expected = again.audio(tone(1.0)), first.audio(tone(1.0))
    assert again.identity == first.identity
    assert np.linalg.norm(found - expected) < again.rounding


def test_identity_is_that_of_the_bytes(tmp_path: Path) -> None:
    """Other weights, another tokenizer or way to prepare frames are another front-end; the same files the same one."""
    places = [tmp_path / name for name in ("first", "again", "tokens", "weights", "mean")]
    for place, seed, mean in zip(places, (0, 0, 0, 1, 0), (0.5, 0.5, 0.5, 0.5, 0.4), strict=True):
        save_tiny_pe_av(place / "pe-av", seed, image_mean=[mean] * 3)
    tokenizer = places[2] / "pe-av" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    first, again, *others = (make_front_end("pe-av", place).identity for place in places)
    assert first == again
    assert first.startswith("pe-av-")
    assert len({first, *others}) == 4


def test_a_network_that_answers_the_same_to_everything_is_refused(tiny: Any, tmp_path: Path) -> None:
    """Its weights load, its embeddings are finite and of unit length, and yet it is of no use."""
    head = "video_model.video_encoder.embedder.proj.weight"
    rewrite(tmp_path / "pe-av" / "model.safetensors", lambda tensors: tensors[head].zero_())
    with pytest.raises(FrontEndError, match=r"pe-av cannot be used: its visual features .* are equal"):
        make_front_end("pe-av", tmp_path)


def test_weights_that_give_no_numbers_are_refused(tiny: Any, tmp_path: Path) -> None:
    """NaN among the weights is found before the first second is computed."""
    head = "audio_model.audio_head.proj.weight"
    rewrite(tmp_path / "pe-av" / "model.safetensors", lambda tensors: tensors[head].fill_(float("nan")))
    with pytest.raises(FrontEndError, match=r"cannot be used: .*the sound an embedding that has no direction: nan"):
        make_front_end("pe-av", tmp_path)


def test_a_second_that_gives_no_numbers_is_refused(tiny: Any, tmp_path: Path) -> None:
    """Samples far out of range end with an error by name, never with a row of NaN."""
    front_end = make_front_end("pe-av", tmp_path)
    with pytest.raises(NotFinite, match="pe-av gives the sound an embedding that has no direction"):
        front_end.features([Segment(0, np.full(16_000, 3e38, np.float32), None)])


def test_tensors_that_are_missing_are_not_made_up(tiny: Any, tmp_path: Path) -> None:
    """transformers would draw them at random."""
    head = "audio_model.audio_head.proj.weight"
    rewrite(tmp_path / "pe-av" / "model.safetensors", lambda tensors: tensors.pop(head))
    with pytest.raises(FrontEndError, match=rf"lack 1 tensors, such as {head}"):
        make_front_end("pe-av", tmp_path)


@pytest.mark.parametrize("name", REPOSITORIES)
def test_weights_that_are_absent_say_where_they_belong(name: str, tmp_path: Path) -> None:
    """The error names the directory, and for published ones the command; nothing is asked of a network."""
    assert not has_weights(name, tmp_path)
    download = f"hf download facebook/{name} --local-dir {tmp_path}/{name}"
    with pytest.raises(FrontEndError, match="copy or link one there" if name == "pe-av" else download):
        make_front_end(name, tmp_path)


def test_published_weights_are_found_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    """What `hf download facebook/pe-av-small` left there is used without a network."""
    repository = tmp_path / "hub" / "models--facebook--pe-av-small"
    save_tiny_pe_av(repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    assert has_weights("pe-av-small", tmp_path)
    assert make_front_end("pe-av-small", tmp_path).identity.startswith("pe-av-small-")


@pytest.mark.parametrize(
    ("file_name", "content", "message"),
    [
        ("config.json", "{", "cannot be loaded as a PE-AV"),
        ("tokenizer.json", "{", "tokenizer.json cannot be read as a tokenizer"),
        ("model.safetensors", "no tensors", "cannot be loaded as a PE-AV"),
        ("video_preprocessor_config.json", "{}", "KeyError"),
        ("video_preprocessor_config.json", json.dumps(PREPARATION | {"do_center_crop": True}), "another way"),
        ("video_preprocessor_config.json", json.dumps(PREPARATION | {"do_rescale": None}), "another way"),
    ],
)
def test_broken_files_are_named(tiny: Any, tmp_path: Path, file_name: str, content: str, message: str) -> None:
    """A file that is cut, empty or of another kind is an error of the front-end."""
    (tmp_path / "pe-av" / file_name).write_text(content)
    with pytest.raises(FrontEndError, match=message):
        make_front_end("pe-av", tmp_path)


@pytest.mark.parametrize("file_name", ["tokenizer.json", "video_preprocessor_config.json"])
def test_a_model_without_its_files_is_refused(tiny: Any, tmp_path: Path, file_name: str) -> None:
    """Without a tokenizer no text could be asked: the error names the file."""
    (tmp_path / "pe-av" / file_name).unlink()
    with pytest.raises(FrontEndError, match=rf"{file_name} cannot be read .*; a whole PE-AV expected"):
        make_front_end("pe-av", tmp_path)
