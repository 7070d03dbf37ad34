"""Front-ends of packages: found by their entry points, checked, and refused by name where they break the contract."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from front_end_samples import write_package
from media_samples import tone

from model.errors import FrontEndError, NotFinite
from model.frontends.names import NAMES, all_names, hidden_entry_points, is_known
from model.frontends.raw import RawFrontEnd
from model.frontends.registry import make_front_end
from model.media.segments import Segment

NUMBER = itertools.count()  # modules stay loaded, so each has a name of its own
GOOD = """
import numpy as np
from model.frontends.frontend import FrontEnd

class Levels(FrontEnd):
    name, identity = "levels", "levels-1"
    audio_shape, visual_shape = (2,), (3,)

    def __init__(self, directory):
        self.directory = directory

    def audio(self, sound):
        return np.array([np.abs(sound).mean(), np.abs(sound).max()], np.float32)

    def visual(self, frame):
        return frame.mean((0, 1)).astype(np.float32)
"""
MEAN, MAXIMUM, VISUAL = "np.abs(sound).mean()", "np.abs(sound).max()", "frame.mean((0, 1))"
BROKEN = {
    "no module": ("import numpy as np", "import no_such_network", "ModuleNotFoundError: No module named 'no_such"),
    "fails when made": ("self.directory = directory", "raise OSError('no weights')", "OSError: no weights"),
    "no front-end": ("class Levels(FrontEnd)", "class Levels", "Levels given, a model.frontends"),
    "abstract": ("def visual", "def look", "TypeError: Can't instantiate abstract class Levels"),
    "another name": ('"levels",', '"loudness",', "its name is 'loudness', 'levels' expected"),
    "identity of another": ('"levels-1"', '"raw-1"', "its identity is 'raw-1'; levels- and a version"),
    "identity no file name": ('"levels-1"', '"levels-../../x"', r"its identity is 'levels-\.\./\.\./x'"),
    "empty identity": ('"levels-1"', '""', "its identity is ''"),
    "no shape": ("(2,), (3,)", "2, (3,)", "its audio_shape is 2; "),
    "empty shape": ("(2,), (3,)", "(2,), (0,)", r"its visual_shape is \(0,\); "),
    "odd grid": ("(2,), (3,)", "(30, 20), (3,)", r"its audio_shape is \(30, 20\); .* multiples of 16"),
    "prior": ("audio_shape,", "prior = 'words'; audio_shape,", "its prior is str, a Prior or None expected"),
    "two spaces": ("audio_shape,", "shares_space = True; audio_shape,", r".* of the shapes \(2,\), \(3,\) and"),
    "other shape": (f"[{MEAN}, {MAXIMUM}]", f"[{MEAN}]", r"its audio features are float32 \(1,\), .* float32 \(2,\)"),
    "other kind": ("frame.mean((0, 1)).astype(np.float32)", VISUAL, r"its visual features are float64 \(3,\)"),
    "a list": ("frame.mean((0, 1)).astype(np.float32)", "[1.0, 2.0, 3.0]", "its visual features are list"),
    "not finite": (MAXIMUM, "np.nan", "its audio features of a known second are not finite"),
    "deaf": (f"[{MEAN}, {MAXIMUM}]", "[1, 2]", "its audio features of a tone and a burst of noise are equal"),
    "blind": (VISUAL, "np.ones(3)", "its visual features of a ramp and coloured squares are equal"),
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what leaves a package on the path, with `code` as its only module."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def leave(code: str = GOOD, name: str = "levels", package: str = "loud_package") -> None:
        write_package(tmp_path / "site", package, name, f"levels_{next(NUMBER)}:Levels", code)

    return leave


def test_a_package_offers_a_front_end_by_an_entry_point(tmp_path: Path, install: Callable[..., None]) -> None:
    """It is listed after the built-in ones, gets the directory, and gives the features of its own formula."""
    install()
    assert all_names() == (*NAMES, "levels")
    assert is_known("levels")
    assert not is_known("level")
    front_end = make_front_end("levels", tmp_path)
    assert front_end.directory == tmp_path
    sound, frame = tone(1.0), np.full((20, 20, 3), (1, 2, 3), np.uint8)
    features = front_end.features([Segment(0, sound, frame)])
    np.testing.assert_allclose(features.visual, [[1, 2, 3]])
    np.testing.assert_allclose(features.audio, [[np.mean(np.abs(sound)), np.max(np.abs(sound))]], rtol=1e-6)


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_the_contract_is_refused_by_name(case: str, tmp_path: Path, install: Callable[..., None]) -> None:
    """The error names the package, its version, the entry point and the cause."""
    good, bad, message = BROKEN[case]
    assert good in GOOD
    install(GOOD.replace(good, bad))
    who = r"'levels' of the package loud_package 1\.5 \(entry point levels = levels_\d+:Levels\) cannot be used: "
    with pytest.raises(FrontEndError, match=who + message):
        make_front_end("levels", tmp_path)


def test_a_space_that_is_shared_is_one_of_unit_vectors(tmp_path: Path, install: Callable[..., None]) -> None:
    """Cosines are compared there as distances, which other lengths would spoil."""
    sized = GOOD.replace("(2,), (3,)", "(2,), (2,)").replace(VISUAL, "frame.mean((0, 1))[:2]")
    install(sized.replace("audio_shape,", "shares_space = True; audio_shape,"))
    with pytest.raises(FrontEndError, match=r"of the shapes \(2,\) and the lengths 0\.35.*, 180"):
        make_front_end("levels", tmp_path)


def test_a_built_in_front_end_cannot_be_replaced(tmp_path: Path, install: Callable[..., None]) -> None:
    """The built-in one is made, the name stands once in the list, and the entry point is known to be hidden."""
    install(GOOD.replace("levels", "raw"), name="raw")
    assert type(make_front_end("raw", tmp_path)) is RawFrontEnd
    assert all_names() == NAMES
    assert [point.dist.name for point in hidden_entry_points() if point.dist] == ["loud_package"]


def test_two_packages_with_one_name_are_refused(tmp_path: Path, install: Callable[..., None]) -> None:
    """Which of them would be taken is not left to the order of the path."""
    install()
    install(package="other_package")
    with pytest.raises(FrontEndError, match=r"(?s)offered by .*(loud|other)_package.* and by .*(loud|other)_package"):
        make_front_end("levels", tmp_path)


def test_features_that_are_not_finite_fail_the_file(tmp_path: Path, install: Callable[..., None]) -> None:
    """A front-end that passes the check and meets a second that it cannot compute gives no row of NaN."""
    install(GOOD.replace(VISUAL, "(1 / (frame.mean((0, 1)) - 9))"))
    with np.errstate(divide="ignore"):
        front_end = make_front_end("levels", tmp_path)
        with pytest.raises(NotFinite, match="levels gives the picture of second 4 features that are not finite"):
            front_end.features([Segment(4, None, np.full((20, 20, 3), 9, np.uint8))])


@pytest.mark.parametrize(
    ("given", "found"),
    [("np.ones(1, np.float32)", r"float32 \(1,\)"), ("np.ones(3)", r"float64 \(3,\)"), ("None", "NoneType")],
)
def test_features_of_another_shape_are_refused_at_any_second(
    tmp_path: Path, install: Callable[..., None], given: str, found: str
) -> None:
    """One number is not spread over the row, float64 is not rounded, and no answer is no missing picture."""
    features = "frame.mean((0, 1)).astype(np.float32)"
    install(GOOD.replace(features, f"{features} if frame.max() > 9 else {given}"))
    front_end = make_front_end("levels", tmp_path)
    with pytest.raises(FrontEndError, match=f"levels answers the picture of second 4 with {found}, .* expected"):
        front_end.features([Segment(4, None, np.full((20, 20, 3), 9, np.uint8))])
