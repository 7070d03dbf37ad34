"""Front-ends: independent references, and the same bits however a second comes along."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.special
import soundfile
import soxr
import torch
from media_samples import gradient, tone

from model.data.features import Features
from model.errors import FrontEndError
from model.frontends.efficientnet_lite import EfficientNetLite2
from model.frontends.frontend import FrontEnd
from model.frontends.names import NAMES
from model.frontends.raw import RawFrontEnd
from model.frontends.registry import make_front_end
from model.frontends.weights import EFFICIENTNET, YAMNET, installed
from model.media.segments import Segment

ARRAYS = ("start_s", "audio", "visual", "heard", "seen")


@pytest.fixture(scope="module")
def pretrained(shared: Path) -> FrontEnd:
    return make_front_end("pretrained", shared / "frontends", keep=False)


def segments(count: int = 7) -> list[Segment]:
    """Return noisy seconds with frames of different sizes; one is silent, one has no frame."""
    random = np.random.default_rng(0)
    made = [
        Segment(
            start_s=second,
            sound=(0.1 * random.standard_normal(16_000)).astype(np.float32),
            frame=random.integers(0, 256, (40 + 9 * second, 64, 3)).astype(np.uint8),
        )
        for second in range(count)
    ]
    made[2] = Segment(2, None, made[2].frame)
    made[4] = Segment(4, made[4].sound, None)
    return made


def joined(parts: Sequence[Features]) -> dict[str, bytes]:
    return {name: np.concatenate([getattr(p, name) for p in parts]).tobytes() for name in ARRAYS}


def assert_same_bits_in_any_grouping_and_thread(front_end: FrontEnd) -> None:
    seconds = segments()
    whole = joined([front_end.features(seconds)])
    assert joined([front_end.features([s]) for s in seconds]) == whole
    assert joined([front_end.features(seconds[:3]), front_end.features(seconds[3:])]) == whole
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: joined([front_end.features(seconds)]), range(8)):
            assert found == whole


def test_raw_features_have_the_same_bits_in_any_grouping_and_thread() -> None:
    """One by one, in groups and in other threads, a second's features are the same bytes."""
    assert_same_bits_in_any_grouping_and_thread(RawFrontEnd())


def test_raw_features_do_not_depend_on_the_number_of_threads() -> None:
    """A machine with more cores gives the same bytes."""
    front_end, before = RawFrontEnd(), torch.get_num_threads()
    one = joined([front_end.features(segments())])
    try:
        torch.set_num_threads(4)
        assert joined([RawFrontEnd().features(segments())]) == one
    finally:
        torch.set_num_threads(before)


def test_log_mel_is_librosas() -> None:
    """Within 1e-4 bel of librosa.feature.melspectrogram, for noise, a tone, an impulse and a quiet sound.

    Bands over 50 dB under a sound's strongest are the round-off of float32 there: within 0.01 bel.
    """
    random = np.random.default_rng(0)
    impulse = np.zeros(16_000, np.float32)
    impulse[8000] = 1
    noise = (0.3 * random.standard_normal(16_000)).astype(np.float32)
    for sound in (noise, tone(1.0), impulse, 1e-3 * noise):
        power = librosa.feature.melspectrogram(
            y=sound.astype(np.float64),
            sr=16_000,
            n_fft=1024,
            hop_length=500,
            n_mels=64,
            fmin=50,
            pad_mode="constant",
        )
        expected = np.log10(np.maximum(power[:, :32], 1e-8))
        error = np.abs(RawFrontEnd().audio(sound) - expected)
        assert error[expected > expected.max() - 5].max() < 1e-4
        assert error.max() < 0.01


def test_silence_has_a_floor() -> None:
    """Digital silence is -8 bel everywhere, not minus infinity."""
    assert (RawFrontEnd().audio(np.zeros(16_000, np.float32)) == -8).all()


def test_a_raw_picture_is_the_mean_of_areas() -> None:
    """A frame of 96 x 64 becomes 32 x 32 by means over 3 x 2 pixels, channels first, in [0, 1]."""
    frame = np.random.default_rng(0).integers(0, 256, (96, 64, 3)).astype(np.uint8)
    expected = frame.reshape(32, 3, 32, 2, 3).astype(float).mean(axis=(1, 3)).transpose(2, 0, 1) / 255
    # Pillow rounds to whole levels after each of its two passes
    np.testing.assert_allclose(RawFrontEnd().visual(frame), expected, atol=1.01 / 255)


def test_missing_modalities_are_zero_rows_masked_out() -> None:
    """A silent second has no sound features, one without a frame no visual ones; the others have both."""
    found = RawFrontEnd().features(segments())
    assert found.heard.tolist() == [True, True, False, True, True, True, True]
    assert found.seen.tolist() == [True, True, True, True, False, True, True]
    assert not found.audio[2].any()
    assert not found.visual[4].any()
    assert found.start_s.tolist() == list(range(7))


def test_no_segments_give_no_rows() -> None:
    """A recording without a second has features of zero rows in the right shapes."""
    found = RawFrontEnd().features([])
    assert found.audio.shape == (0, 64, 32)
    assert found.visual.shape == (0, 3, 32, 32)


def test_saved_features_are_loaded_bit_by_bit(tmp_path: Path) -> None:
    """Save and load are inverse, and only the finished file is left."""
    features = RawFrontEnd().features(segments())
    features.save(tmp_path / "new" / "f.npz")
    assert joined([Features.load(tmp_path / "new" / "f.npz")]) == joined([features])
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["f.npz"]


def test_pickled_features_are_not_loaded(tmp_path: Path) -> None:
    """An array of objects is refused rather than unpickled."""
    np.savez(tmp_path / "f.npz", **dict.fromkeys(ARRAYS, np.array([{}], object)))
    with pytest.raises(ValueError, match="allow_pickle"):
        Features.load(tmp_path / "f.npz")


def test_an_unknown_front_end_is_refused(tmp_path: Path) -> None:
    """The message names the given one and those there are."""
    with pytest.raises(FrontEndError, match=r"'vggish' given, one of raw, pretrained, paper, .*, pe-av expected"):
        make_front_end("vggish", tmp_path)
    assert NAMES == ("raw", "pretrained", "paper", "pe-av-small", "pe-av-base", "pe-av-large", "pe-av")


def test_weights_that_are_absent_say_how_to_fetch_them(tmp_path: Path) -> None:
    """Without weights the pretrained front-end names the command that pulls them."""
    with pytest.raises(FrontEndError, match="echolens frontends pull"):
        make_front_end("pretrained", tmp_path)


@pytest.mark.shared
def test_pretrained_features_have_the_same_bits_in_any_grouping_and_thread(pretrained: FrontEnd) -> None:
    """Each thread's own interpreters give the same bytes."""
    assert_same_bits_in_any_grouping_and_thread(pretrained)


@pytest.mark.shared
def test_pretrained_features_do_not_depend_on_the_number_of_threads(pretrained: FrontEnd) -> None:
    """A machine with more cores gives the same bytes."""
    before = torch.get_num_threads()
    one = joined([pretrained.features(segments())])
    try:
        torch.set_num_threads(4)
        assert joined([pretrained.features(segments())]) == one
    finally:
        torch.set_num_threads(before)


@pytest.mark.shared
def test_pretrained_features_are_an_embedding_and_the_log_evidence_of_concepts(pretrained: FrontEnd) -> None:
    """1024 or 1280 numbers, 0 or more (they follow a ReLU and a mean) and not all alike, then one for each concept."""
    concepts = len(pretrained.prior.concepts.names)
    assert (pretrained.audio_shape, pretrained.visual_shape) == ((1024 + concepts,), (1280 + concepts,))
    for found, shape in (
        (pretrained.audio(tone(1.0)), pretrained.audio_shape),
        (pretrained.visual(gradient()), pretrained.visual_shape),
    ):
        assert (found.shape, found.dtype) == (shape, np.float32)
        assert np.isfinite(found).all()
        assert found[:-concepts].min() >= 0
        assert found[:-concepts].std() > 0
        assert found[-concepts:].min() >= np.log(np.float32(0.003))
        assert found[-concepts:].std() > 0


@pytest.mark.shared
def test_yamnet_hears_the_first_15600_samples(pretrained: FrontEnd) -> None:
    """What follows in the second changes nothing; what comes before does."""
    sound = tone(1.0)
    late, early = sound.copy(), sound.copy()
    late[15_600:] = 1
    early[15_000:15_600] = 1
    np.testing.assert_array_equal(pretrained.audio(late), pretrained.audio(sound))
    assert (pretrained.audio(early) != pretrained.audio(sound)).any()


@pytest.mark.shared
def test_the_yamnet_tensor_is_the_one_that_tells_sounds_apart(pretrained: FrontEnd, shared: Path) -> None:
    """The nearest of 40 ESC-10 recordings by cosine is of the same class most of the time (chance 1/13)."""
    labels, features = heard_seconds(pretrained, shared)
    embeddings = features[:, :1024] / np.linalg.norm(features[:, :1024], axis=1, keepdims=True)
    similarity = embeddings @ embeddings.T - 2 * np.eye(len(labels))
    right = np.array(labels)[similarity.argmax(1)] == labels
    assert len(labels) == 40
    assert right.mean() > 0.6


def heard_seconds(front_end: FrontEnd, shared: Path) -> tuple[list[str], np.ndarray]:
    """Return the class and the features of the loudest second of four recordings of each class of ESC-10."""
    features, labels = [], []
    for directory in sorted(p for p in (shared / "esc10").iterdir() if p.is_dir()):
        for path in sorted(directory.glob("*.ogg"))[:4]:
            sound, rate_hz = soundfile.read(path, dtype="float32")
            resampled = soxr.resample(sound, rate_hz, 16_000).astype(np.float32)
            seconds = resampled[: len(resampled) // 16_000 * 16_000].reshape(-1, 16_000)
            features.append(front_end.audio(seconds[np.square(seconds).mean(1).argmax()]))
            labels.append(directory.name)
    return labels, np.array(features)


@pytest.mark.shared
def test_the_concepts_of_a_sound_are_those_that_are_heard(pretrained: FrontEnd, shared: Path) -> None:
    """Of ten concepts, each is most evident, on the mean, in the ESC-10 recordings of its own class."""
    heard = {
        "baby-cry": "baby",
        "chainsaw": "chainsaw",
        "clock-tick": "clock",
        "dog-bark": "dog",
        "fire-crackling": "fire",
        "helicopter": "helicopter",
        "person-sneeze": "cough",
        "rain": "rain",
        "rooster": "chicken",
        "sea-waves": "sea",
    }
    labels, features = heard_seconds(pretrained, shared)
    evidence = pretrained.prior.evidence("audio", features)
    for label, concept in heard.items():
        column = evidence[:, pretrained.prior.concepts.names.index(concept)]
        of_class = {other: column[np.array(labels) == other].mean() for other in heard}
        assert max(of_class, key=of_class.__getitem__) == label, (concept, of_class)


@pytest.mark.shared
def test_the_evidence_of_a_picture_is_of_a_softmax_at_temperature_two(pretrained: FrontEnd) -> None:
    """log(sum of the classes' likelihoods / root of their number + 0.003), computed here one by one in float64."""
    logits = EfficientNetLite2(torch.load(io.BytesIO(installed(EFFICIENTNET)), weights_only=True))(gradient())[1]
    likely = scipy.special.softmax(logits.astype(np.float64) / 2)
    members = pretrained.prior.concepts.classes("visual")
    expected = [np.log(likely[row].sum() / max(row.sum(), 1) ** 0.5 + 0.003) for row in members]
    np.testing.assert_allclose(pretrained.visual(gradient())[1280:], expected, atol=1e-5)


@pytest.mark.shared
def test_efficientnet_sees_likeness(pretrained: FrontEnd) -> None:
    """A picture lies nearer to itself at half the size than to another picture."""
    picture = gradient(128, 128)
    other = np.random.default_rng(0).integers(0, 256, picture.shape).astype(np.uint8)
    found, half, noise = (pretrained.visual(p) for p in (picture, picture[::2, ::2], other))
    assert np.linalg.norm(found - half) < 0.5 * np.linalg.norm(found - noise)


@pytest.mark.shared
def test_a_flipped_byte_in_the_weights_is_refused(tmp_path: Path, shared: Path) -> None:
    """The file with one bit changed is named in the refusal."""
    content = bytearray((shared / "frontends" / YAMNET.file_name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / YAMNET.file_name).write_bytes(content)
    with pytest.raises(FrontEndError, match=rf"{YAMNET.file_name} has the SHA-256 .*, expected"):
        make_front_end("pretrained", tmp_path)


@pytest.mark.shared
def test_the_identity_is_the_hash_of_weights_and_concepts(
    pretrained: FrontEnd, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another instance from the same bytes has the same identity; another temperature, and the raw one, another."""
    assert make_front_end("pretrained", shared / "frontends", keep=False).identity == pretrained.identity
    assert pretrained.identity.startswith("pretrained-2-")
    assert pretrained.identity != RawFrontEnd().identity
    monkeypatch.setattr("model.frontends.pretrained.TEMPERATURE", 3.0)
    assert make_front_end("pretrained", shared / "frontends", keep=False).identity != pretrained.identity


NOISE = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "most_bel"), [(tone(1, 16_000, 700), 0.3), (NOISE, 0.05), (tone(1, 16_000, 250) + NOISE, 0.1)]
)
def test_raw_features_become_a_sound_that_has_them(sound: np.ndarray, most_bel: float) -> None:
    """The features of the sound that is made of features are near those, on the mean over all of them; every time."""
    front_end = RawFrontEnd()
    features = front_end.audio(sound)
    made = front_end.sound(features)
    assert made.shape == (16_000,)
    assert np.abs(front_end.audio(made) - features).mean() < most_bel
    np.testing.assert_array_equal(front_end.sound(features), made)


def test_silent_and_loud_features_become_finite_sounds() -> None:
    """At the floor there is next to nothing to hear; beyond all measure it is loud, and still a number."""
    front_end = RawFrontEnd()
    assert np.abs(front_end.sound(np.full((64, 32), -8, np.float32))).max() < 1e-3
    assert np.isfinite(front_end.sound(np.full((64, 32), 6, np.float32))).all()


def test_raw_features_become_their_picture() -> None:
    """A 32 x 32 frame comes back pixel by pixel; what lies beyond black and white is clipped."""
    front_end = RawFrontEnd()
    frame = gradient(32, 32)
    np.testing.assert_array_equal(front_end.picture(front_end.visual(frame)), frame)
    beyond = front_end.picture(np.stack([np.full((32, 32), v, np.float32) for v in (-1, 0.5, 2)]))
    assert beyond[0, 0].tolist() == [0, 128, 255]


def test_a_front_end_that_cannot_go_back_says_so() -> None:
    """Features of pretrained networks determine neither a sound nor a picture."""
    assert FrontEnd.sound(RawFrontEnd(), np.zeros(3, np.float32)) is None
    assert FrontEnd.picture(RawFrontEnd(), np.zeros(3, np.float32)) is None
