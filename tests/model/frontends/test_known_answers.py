"""A front-end that answers known inputs otherwise than at its first use is refused, whoever made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.data.features import save_arrays
from model.errors import FrontEndError
from model.frontends.contract import check_front_end, probe_pictures, probe_sounds
from model.frontends.frontend import FrontEnd
from model.frontends.known_answers import DIRECTORY
from model.frontends.registry import make_front_end
from model.modality import Modality

KNOWN = {
    "a tone",
    "a burst of noise",
    "a ramp",
    "coloured squares",
    "the text 'a dog barks' for audio",
    "the text 'a dog barks' for visual",
    "the text 'rain falls on leaves' for audio",
    "the text 'rain falls on leaves' for visual",
}


class Reading(FrontEnd):
    """Levels, mean colours and the lengths of words; `drift` is how much a later build differs."""

    name, identity = "reading", "reading-1"
    audio_shape, visual_shape = (2,), (3,)

    def __init__(self, drift: float = 0.0, part: str = "") -> None:
        self._drift = {part: drift}

    def audio(self, sound: np.ndarray) -> np.ndarray:
        """Return mean and maximum."""
        return self._drifted("sound", [np.abs(sound).mean(), np.abs(sound).max()])

    def visual(self, frame: np.ndarray) -> np.ndarray:
        """Return the mean colour."""
        return self._drifted("picture", frame.mean((0, 1)))

    def text(self, words: str, target: Modality) -> np.ndarray:
        """Return how many words and letters there are."""
        return self._drifted("text", [len(words.split()), len(words), 1][: 2 if target == "audio" else 3])

    def _drifted(self, part: str, row: object) -> np.ndarray:
        return np.asarray(row, np.float32) * np.float32(1 + self._drift.get(part, 0.0))


def stored(directory: Path) -> Path:
    return directory / DIRECTORY / "reading-1.npz"


def test_answers_are_kept_when_a_front_end_is_first_used(tmp_path: Path) -> None:
    """Of two sounds, two pictures, and two texts for each modality: all different."""
    check_front_end(Reading(), "reading", tmp_path)
    with np.load(stored(tmp_path)) as arrays:
        answers = {asked: arrays[asked] for asked in arrays.files}
    assert set(answers) == KNOWN
    assert len({answer.tobytes() for answer in answers.values()}) == len(KNOWN)
    np.testing.assert_array_equal(answers["a tone"], Reading().audio(probe_sounds()[0]))
    np.testing.assert_array_equal(answers["coloured squares"], Reading().visual(probe_pictures()[1]))


def test_rounding_of_another_machine_is_no_change(tmp_path: Path) -> None:
    """Under a thousandth of an answer's length, and under whatever else a front-end says of itself."""
    check_front_end(Reading(), "reading", tmp_path)
    for part in ("sound", "picture", "text"):
        check_front_end(Reading(0.0009, part), "reading", tmp_path)
    coarse = Reading(0.04, "sound")
    coarse.rounding = 0.05
    check_front_end(coarse, "reading", tmp_path)


@pytest.mark.parametrize(
    ("part", "asked"),
    [("sound", "a tone"), ("picture", "a ramp"), ("text", "the text 'a dog barks' for audio")],
)
def test_another_answer_is_refused_by_what_was_asked(tmp_path: Path, part: str, asked: str) -> None:
    """Of equal identity, a little more than rounding apart; the first answers stay those that count."""
    check_front_end(Reading(), "reading", tmp_path)
    for _ in range(2):
        with pytest.raises(FrontEndError, match=f"it answers {asked} otherwise than .* reencode --frontend reading$"):
            check_front_end(Reading(0.002, part), "reading", tmp_path)
    check_front_end(Reading(), "reading", tmp_path)


def test_answers_of_another_shape_or_without_numbers_are_refused(tmp_path: Path) -> None:
    """What lies there is compared as it is: a stored NaN agrees with nothing."""
    for wrong in (np.zeros(5, np.float32), np.full(2, np.nan, np.float32)):
        save_arrays(stored(tmp_path), {"a tone": wrong})
        with pytest.raises(FrontEndError, match="it answers a tone otherwise"):
            check_front_end(Reading(), "reading", tmp_path)


def test_a_damaged_file_counts_as_none_and_a_check_keeps_nothing(tmp_path: Path) -> None:
    """A power failure may leave half a file; without `keep` nothing is written."""
    check_front_end(Reading(), "reading", tmp_path, keep=False)
    assert not stored(tmp_path).parent.exists()
    stored(tmp_path).parent.mkdir()
    stored(tmp_path).write_bytes(b"PK\3\4 cut off")
    check_front_end(Reading(), "reading", tmp_path)
    with pytest.raises(FrontEndError, match="it answers a tone otherwise"):
        check_front_end(Reading(0.5, "sound"), "reading", tmp_path)


def test_what_is_asked_anew_by_a_later_release_is_added(tmp_path: Path) -> None:
    """The answers that were there already stay as they were."""
    first = np.array(Reading().audio(probe_sounds()[0])) * np.float32(1.0001)
    save_arrays(stored(tmp_path), {"a tone": first})
    check_front_end(Reading(), "reading", tmp_path)
    with np.load(stored(tmp_path)) as arrays:
        assert set(arrays.files) == KNOWN


def test_texts_that_are_answered_alike_are_refused(tmp_path: Path) -> None:
    """A tower that says the same of every text is of no use, however finite its numbers."""

    class Deaf(Reading):
        def text(self, words: str, target: Modality) -> np.ndarray:
            return super().text("x", target)

    with pytest.raises(FrontEndError, match=r"features of the text 'a dog barks' for audio and .* are equal"):
        check_front_end(Deaf(), "reading", tmp_path)
    assert not stored(tmp_path).exists()


def test_built_in_front_ends_have_their_known_answers(tmp_path: Path) -> None:
    """`raw` of a library whose stored answers are another's is refused by its name."""
    made = make_front_end("raw", tmp_path)
    file = tmp_path / DIRECTORY / f"{made.identity}.npz"
    with np.load(file) as arrays:
        answers = {asked: arrays[asked] for asked in arrays.files}
    assert set(answers) == {asked for asked in KNOWN if not asked.startswith("the text")}
    make_front_end("raw", tmp_path)
    save_arrays(file, answers | {"a ramp": answers["coloured squares"]})
    with pytest.raises(FrontEndError, match="the front-end raw cannot be used: it answers a ramp otherwise"):
        make_front_end("raw", tmp_path)
