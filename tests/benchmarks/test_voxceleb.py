"""The study of voices and faces: its stand-in, features, intervals, and the whole of it on a few speakers."""

from __future__ import annotations

import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import tone
from PIL import Image

from benchmarks.quality.voxceleb.__main__ import Contest, Recipes, main, study
from benchmarks.quality.voxceleb.features import Videos, read_videos
from benchmarks.quality.voxceleb.front_end import VoiceAndFace
from benchmarks.quality.voxceleb.identity_mrr import IdentityMrr, measure
from benchmarks.quality.voxceleb.pictures import mapped
from benchmarks.quality.voxceleb.stand_in import MARK, Size, write_stand_in
from benchmarks.quality.voxceleb.tables import markdown
from model.data.corpus import Corpus
from model.errors import DatasetError
from model.frontends.contract import check_front_end
from model.judging.scorers import EmbeddingScorer
from model.training.recipe import PUBLISHED
from model.training.run import Run

SIZE = Size(identities=6, unseen=3, train=2, val=1, test=3)
SECONDS = 3
QUICK = {"epochs": 1, "held_epochs": 0, "hidden": 16}
SYSTEMS = list(Recipes().systems)
RECIPES = Recipes(replace(Recipes().with_w, **QUICK), replace(Recipes().default, **QUICK), replace(PUBLISHED, epochs=1))


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("voxceleb") / "stand-in"
    write_stand_in(directory, SIZE, 0)
    return directory


@pytest.fixture(scope="module")
def videos(stand_in: Path) -> Videos:
    return read_videos(stand_in, VoiceAndFace(), SECONDS)


def scorer_of(corpus: Corpus) -> EmbeddingScorer:
    rng = np.random.default_rng(0)
    return EmbeddingScorer(*(x @ rng.standard_normal((x.shape[1], 8)) for x in (corpus.audio, corpus.visual)))


def without(corpus: Corpus, identity: int) -> Corpus:
    return corpus.of_videos(np.flatnonzero(corpus.label != identity))


def test_the_features_keep_to_the_contract_of_front_ends(tmp_path: Path) -> None:
    """A tone of 1 kHz is loudest in its bin, of which there are 64 a kilohertz; a face is grey, from its middle."""
    front_end = check_front_end(VoiceAndFace(), "voice-and-face", tmp_path)
    assert int(front_end.audio(tone(1.0, frequency_hz=1000)).argmax()) == 63  # the bin at 0 Hz is left out
    frame = np.zeros((46, 92, 3), np.uint8)
    frame[:, 23:69] = (255, 0, 0)
    np.testing.assert_allclose(front_end.visual(frame), 76 / 255, atol=0.01)  # the luma of red, of ITU-R BT.601


def test_the_stand_in_is_the_same_for_a_seed_and_is_marked(stand_in: Path, tmp_path: Path) -> None:
    """File by file and bit by bit; nothing is written where something lies."""
    write_stand_in(tmp_path / "again", SIZE, 0)
    files = [path.relative_to(stand_in) for path in sorted(stand_in.rglob("*")) if path.is_file()]
    assert all((stand_in / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)
    assert "Generated" in (stand_in / MARK).read_text()
    with pytest.raises(FileExistsError):
        write_stand_in(stand_in, SIZE, 0)


def test_protocols_are_those_of_the_lists(videos: Videos) -> None:
    """Seen: each identity trains and is judged by other videos. Unseen: none of those judged trains."""
    protocols = videos.protocols()
    assert list(protocols) == ["seen", "unseen"]
    training, judged = protocols["seen"]
    assert (len(training), len(judged)) == (6 * (2 + 1), 6 * 3)
    assert not set(training.video_ids) & set(judged.video_ids)
    training, judged = protocols["unseen"]
    assert (len(training), len(judged)) == (3 * 6, 3 * 6)
    assert not set(training.label) & set(judged.label)
    assert videos.corpus.paired.all()
    assert np.bincount(videos.corpus.video).max() <= SECONDS


def test_an_unknown_person_among_the_test_videos_is_left_out_of_seen(stand_in: Path, tmp_path: Path) -> None:
    """Whom no training video shows is not judged as seen; `unseen` judges whom it did."""
    shutil.copytree(stand_in, tmp_path / "set")
    split = tmp_path / "set" / "iden_split.txt"
    lines = split.read_text().splitlines()
    unknown = lines[0].split()[1].partition("/")[0]
    split.write_text("\n".join(line for line in lines if line[0] == "3" or unknown not in line) + "\n")
    found = read_videos(tmp_path / "set", VoiceAndFace(), SECONDS)
    protocols = found.protocols()
    assert list(protocols) == ["seen", "unseen"]
    training, judged = protocols["seen"]
    assert (len(training), len(judged)) == (5 * 3, 5 * 3)
    assert set(judged.label) == set(training.label) == set(range(6)) - {found.corpus.classes.index(unknown)}
    training, judged = protocols["unseen"]
    assert (len(training), len(judged)) == (2 * 6 + 3, 3 * 6)
    assert not set(training.label) & set(judged.label)
    assert list(replace(found, stranger=found.stranger & False).protocols()) == ["seen"]


def test_what_cannot_be_read_is_named_and_the_rest_is_taken(stand_in: Path, videos: Videos, tmp_path: Path) -> None:
    """A listed sound that is gone, and a face that is none; a directory of nothing is refused."""
    name = (stand_in / "iden_split.txt").read_text().split()[1].removesuffix(".wav")
    write_stand_in(tmp_path / "set", SIZE, 0)
    (tmp_path / "set" / "wav" / f"{name}.wav").unlink()
    face = next((tmp_path / "set" / "unzippedFaces" / "Generated_006").rglob("*.jpg"))
    face.write_bytes(b"no picture")
    found = read_videos(tmp_path / "set", VoiceAndFace(), 20)
    assert name in found.faults[0]
    assert any(face.name in fault for fault in found.faults[1:])
    assert len(found.corpus) >= len(videos.corpus) - 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="voxceleb expects"):
        read_videos(tmp_path / "empty", VoiceAndFace(), 20)


def test_the_mrr_without_an_identity_is_that_of_a_gallery_without_it(videos: Videos) -> None:
    """Measured anew on the rest; a map has one second of each video, so that no draw differs."""
    corpus = mapped(videos.corpus, 0)
    found = measure(corpus, scorer_of(corpus), 1, 0)
    for direction, of in found.items():
        for place, identity in enumerate(np.unique(corpus.label)):
            rest = without(corpus, identity)
            again = measure(rest, scorer_of(rest), 1, 0)[direction].mean
            assert of.without[place] == pytest.approx(again, abs=1e-9)


def test_an_interval_is_that_of_a_mean_over_people() -> None:
    """Of figures that do not depend on each other the jackknife gives the standard error of their mean."""
    values = np.random.default_rng(0).random(12)
    left_out = np.array([np.delete(values, n).mean() for n in range(12)])
    found = IdentityMrr(float(values.mean()), left_out, 12).interval
    assert found.high is not None
    assert found.high - values.mean() == pytest.approx(2.201 * values.std(ddof=1) / np.sqrt(12), rel=1e-3)
    assert IdentityMrr(0.5, left_out[:2], 2).interval.low is None


def test_the_whole_study_of_a_few_speakers(tmp_path: Path) -> None:
    """It makes its stand-in, tables and pictures, and says everywhere that it is generated."""
    given = Namespace(
        data=None,
        into=None,
        seeds=1,
        jobs=1,
        seconds=SECONDS,
        galleries=2,
        stand_in_seed=0,
        systems=SYSTEMS,
        figures=tmp_path / "f",
    )
    report = study(given, SIZE, RECIPES)
    assert report["source"].startswith("Generated stand-in")
    assert list(report["protocols"]) == ["seen", "unseen"]
    for found in report["protocols"].values():
        assert list(found["mrr"]) == ["msvae_w", "msvae_published", "echolens", "linear_cca", "chance"]
        assert all(0 < one["mean"] <= 1 for of in found["mrr"].values() for one in of.values())
        assert found["clusters"]["joint"]["points"] == 18
    text = markdown(report)
    assert text.startswith("Generated stand-in")
    assert text.count("| msvae_w |") == 2
    names = {"given", "latents-seen", "latents-unseen", "clusters-seen", "clusters-unseen"}
    assert {path.stem for path in (tmp_path / "f").iterdir()} == names
    for path in (tmp_path / "f").iterdir():
        with Image.open(path) as image:
            assert image.width == 1600


def test_no_fit_is_made_twice(monkeypatch: pytest.MonkeyPatch, stand_in: Path) -> None:
    """Not for the clusters either, which are of the first seed's `msvae_w`."""
    fits = []
    run = Run.train

    def counted(self: Run, *of: Any) -> None:
        fits.append((self.recipe.name, self.seed))
        run(self, *of)

    monkeypatch.setattr(Run, "train", counted)
    given = Namespace(
        data=stand_in, seeds=2, jobs=1, seconds=SECONDS, galleries=1, systems=["msvae_w", "echolens"], figures=None
    )
    protocols = study(given, SIZE, RECIPES)["protocols"]
    each = sorted((recipe, seed) for recipe in ("default", "msvae_w") for seed in (0, 1))
    assert sorted(fits) == sorted(each * len(protocols))
    assert all(list(found["mrr"]) == given.systems for found in protocols.values())


def test_held_out_videos_are_no_training_videos(videos: Videos) -> None:
    """Nor test videos."""
    contest = Contest.on(*videos.protocols()["seen"], 2)
    parts = [set(part.video_ids) for part in (contest.train, contest.val, contest.judged)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == len(videos.corpus)


@pytest.mark.parametrize(
    "options",
    [
        ["--seeds", "0"],
        ["--data", "a", "--into", "b"],
        ["--systems", "echolens"],
        ["--systems", "msvae_w,other"],
    ],
)
def test_a_wrong_request_is_refused(options: list[str]) -> None:
    """Before anything is made."""
    with pytest.raises(SystemExit):
        main(options)
