"""The pictures of a model: files that can be printed, repeatable maps, clusters that are there, honest notes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from PIL import Image
from service_samples import Command

from model.data.corpus import UNLABELLED, Corpus
from model.errors import FigureError
from model.figures.canvas import paper, sheet, short
from model.figures.curves import draw_curves
from model.figures.embedding import NOISE, find_clusters, knee, project
from model.figures.maps import SIGNS, Maps, class_groups, draw_clusters
from model.figures.matrices import best_window, score_matrix
from model.figures.page import FIGURES, FiguresPage, draw_page
from model.figures.subject import Sample, Subject, draw_sample
from model.judging.evaluation import Clip
from model.judging.scorers import Scorer, untrained
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.training.plan import Trained, train
from model.training.recipe import DEFAULT

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")
SMALL = replace(DEFAULT, latent=8, hidden=32, epochs=3, held_epochs=1, batch=32)
SECONDS = 6


def labelled(corpus: Corpus, classes: int = 3) -> Corpus:
    """Label every video, with an event of the seconds [1, 4)."""
    event = (corpus.start_s >= 1) & (corpus.start_s < 4)
    names = tuple(f"class {c}, a long name with $ and _" for c in range(classes))
    return replace(corpus, label=np.arange(len(corpus)) % classes, classes=names, event=event)


@pytest.fixture(scope="module")
def result() -> Trained:
    return train(planted_corpus(), SMALL, ("raw", "raw-1"), 0, CPU, planted_corpus(videos=10, seed=1))


@pytest.fixture
def subject(result: Trained) -> Subject:
    return Subject(labelled(planted_corpus(videos=24, seed=2)), result.checkpoint, "a planted corpus", 0, CPU)


def without_history(checkpoint: Checkpoint) -> Checkpoint:
    return replace(checkpoint, training={k: v for k, v in checkpoint.training.items() if k != "history"})


def names(page: FiguresPage) -> list[str]:
    return [path.name for path in page.files]


def test_every_picture_is_a_png_of_twice_the_size_of_a_page(subject: Subject, tmp_path: Path) -> None:
    """All four are written, 1,600 pixels wide, of a page's height, on white and not empty; and nothing else is."""
    page = draw_page(tmp_path / "new" / "figures", subject)
    assert names(page) == list(FIGURES)
    assert page.notes == ()
    assert sorted(p.name for p in (tmp_path / "new" / "figures").iterdir()) == sorted(FIGURES)
    for path in page.files:
        with Image.open(path) as image:
            image.load()
            pixels = np.asarray(image.convert("L"))
            assert image.format == "PNG"
        assert pixels.shape[1] == 1600
        assert 600 < pixels.shape[0] < 2000
        assert pixels[0, 0] == pixels[-1, -1] == 255
        assert 0.01 < np.mean(pixels < 128) < 0.5, path.name


def test_the_same_seed_draws_the_same_bytes(subject: Subject, tmp_path: Path) -> None:
    """Two pages of one seed are equal byte by byte."""
    first, second = (draw_page(tmp_path / n, subject) for n in ("first", "second"))
    for one, again in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == again.read_bytes()


def test_the_same_seed_gives_the_same_coordinates_and_clusters(subject: Subject) -> None:
    """A sample, its three maps and its clusters depend on the seed alone."""
    one, again, other = Maps.of(subject), Maps.of(subject), Maps.of(replace(subject, seed=1))
    for name in ("audio", "visual", "joint"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    np.testing.assert_array_equal(one.clustering.cluster, again.clustering.cluster)
    assert not np.array_equal(one.joint, other.joint)


def test_the_joint_latent_is_the_mean_of_both(subject: Subject) -> None:
    """The third map is of (audio mean + visual mean) / 2 of one second of each labelled video's event."""
    sample = draw_sample(subject)
    np.testing.assert_allclose(sample.joint, np.stack([sample.audio, sample.visual]).mean(0), rtol=1e-6)
    assert len(sample) == len(subject.corpus)
    np.testing.assert_array_equal(sample.label, subject.corpus.label)


def test_seconds_outside_the_event_are_not_mapped(subject: Subject) -> None:
    """Features outside the events may be anything: the sample is the same."""
    corpus = subject.corpus
    audio = np.where(corpus.event[:, None], corpus.audio, 1e3).astype(np.float32)
    changed = draw_sample(replace(subject, corpus=replace(corpus, audio=audio)))
    np.testing.assert_array_equal(changed.audio, draw_sample(subject).audio)


def planted_points(seed: int, groups: int = 4, each: int = 40, strays: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return heaps of points 20 apart with a spread of 1, strays far from all, and who belongs where."""
    random = np.random.default_rng(seed)
    centres = 20.0 * np.array([[g // 2, g % 2] for g in range(groups)])
    heaps = np.repeat(centres, each, axis=0) + random.standard_normal((groups * each, 2))
    far = np.array([[200.0 + 50 * s, -150.0] for s in range(strays)])
    order = random.permutation(groups * each + strays)
    member = np.repeat([*range(groups), NOISE], [each] * groups + [strays])
    return np.concatenate([heaps, far])[order], member[order]


@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_are_found(seed: int) -> None:
    """Of four heaps and five strays DBSCAN gives four clusters, one per heap, and the strays are noise."""
    points, member = planted_points(seed)
    found = find_clusters(points)
    assert found.count == 4
    assert np.all(found.cluster[member == NOISE] == NOISE)
    for heap in range(4):
        inside = found.cluster[member == heap]
        assert len(np.unique(inside[inside != NOISE])) == 1
        assert np.mean(inside == NOISE) < 0.3
    information, adjusted = found.agreement(member)
    assert information > 0.8
    assert adjusted > 0.8


def test_clusters_are_numbered_by_size() -> None:
    """Cluster 0 is the largest, whatever the order of the points."""
    random = np.random.default_rng(0)
    sizes = (12, 60, 30)
    heaps = [random.standard_normal((n, 2)) * 0.5 + 30 * row for row, n in enumerate(sizes)]
    found = find_clusters(np.concatenate(heaps))
    counted = np.bincount(found.cluster[found.cluster != NOISE])
    assert list(counted) == sorted(counted, reverse=True)
    assert np.mean(found.cluster[12:72] == 0) > 0.7


def test_equal_points_are_one_cluster() -> None:
    """Where every k-distance is 0 the reach is still valid, and nothing is noise."""
    found = find_clusters(np.zeros((9, 2)))
    assert found.count == 1
    assert found.noise == 0


def test_the_knee_is_the_corner_of_two_lines() -> None:
    """Of a curve that rises slowly and then fast, the knee is where it turns."""
    curve = np.concatenate([np.linspace(0, 1, 81), np.linspace(1, 9, 21)[1:]])
    assert knee(curve) == 80


def test_neighbours_stay_neighbours_on_a_map() -> None:
    """Three heaps far apart in eight dimensions are three heaps on the plane."""
    random = np.random.default_rng(3)
    heap = np.repeat(np.arange(3), 20)
    points = (random.standard_normal((60, 8)) + 12 * np.eye(8)[heap]).astype(np.float32)
    placed = project(points, seed=0)
    distance = np.linalg.norm(placed[:, None] - placed, axis=2) + np.diag(np.full(60, np.inf))
    assert np.all(heap[distance.argmin(1)] == heap)


def test_latents_that_are_all_the_same_are_no_map() -> None:
    """A collapsed model is told, not drawn as NaN."""
    with pytest.raises(FigureError, match="collapsed"):
        project(np.ones((20, 8), np.float32), seed=0)


def test_unlabelled_footage_is_mapped_by_cluster(subject: Subject, tmp_path: Path) -> None:
    """Without labels the maps are drawn, every video on them; localization is left out, and the note says why."""
    corpus = replace(subject.corpus, label=np.full(24, UNLABELLED), classes=(), event=np.zeros(24 * SECONDS, bool))
    unlabelled = replace(subject, corpus=corpus)
    page = draw_page(tmp_path, unlabelled)
    assert names(page) == ["latents.png", "clusters.png", "curves.png"]
    (note,) = page.notes
    assert note.startswith("localization.png is left out: no labelled video")
    assert len(draw_sample(unlabelled)) == 24
    assert not draw_sample(unlabelled).labelled


def test_too_few_videos_are_no_map(subject: Subject, tmp_path: Path) -> None:
    """With seven videos both maps are left out, with the count that was given."""
    few = replace(subject, corpus=subject.corpus.of_videos(np.arange(7)))
    page = draw_page(tmp_path, few)
    assert names(page) == ["curves.png", "localization.png"]
    assert all("7 given" in note for note in page.notes)


def test_a_checkpoint_without_history_has_no_curves(subject: Subject, tmp_path: Path) -> None:
    """An older checkpoint loads and gives the other pictures; the curves of an earlier run do not stay."""
    path = without_history(subject.checkpoint).save(tmp_path / "old")
    directory = tmp_path / "figures"
    directory.mkdir()
    (directory / "curves.png").touch()
    page = draw_page(directory, replace(subject, checkpoint=Checkpoint.load(path)))
    assert names(page) == ["latents.png", "clusters.png", "localization.png"]
    assert not (directory / "curves.png").exists()
    (note,) = page.notes
    assert "holds no history" in note


def test_a_checkpoint_remembers_how_it_was_trained(result: Trained, tmp_path: Path) -> None:
    """The history has every epoch's terms and best held-out MRR to five digits, and survives the file."""
    history = Checkpoint.load(result.checkpoint.save(tmp_path / "new")).training["history"]
    assert len(history) == len(result.epochs) == 3
    for kept, epoch in zip(history, result.epochs, strict=True):
        assert kept["terms"].keys() == epoch.terms.keys()
        for name, value in epoch.terms.items():
            assert kept["terms"][name] == pytest.approx(value, rel=1e-4)
        assert kept["mrr"] == pytest.approx(max(epoch.mrr), rel=1e-4)
        assert len(f"{kept['mrr']}".removeprefix("0.").lstrip("0")) <= 5


def test_the_history_of_folds_is_their_mean(tmp_path: Path) -> None:
    """Where a few videos were held out in turn, the best epoch of the history is the one that was trained for."""
    checkpoint = train(planted_corpus(videos=30, noise=3.0), SMALL, ("raw", "raw-1"), 0, CPU).checkpoint
    history = checkpoint.training["history"]
    assert len(history) == SMALL.epochs
    assert int(np.argmax([epoch["mrr"] for epoch in history])) + 1 == checkpoint.training["epochs"]
    assert max(epoch["mrr"] for epoch in history) == pytest.approx(checkpoint.training["validation"]["mrr"], rel=1e-4)


def texts(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_titles_say_what_is_shown(subject: Subject) -> None:
    """The clusters' heading has their number, the noise, the agreement, the source, n and the seed."""
    maps = Maps.of(replace(subject, seed=3))
    information, _ = maps.clustering.agreement(maps.sample.label)
    with paper():
        written = texts(draw_clusters(maps))
        curves = texts(draw_curves(subject))
    assert f"{maps.clustering.count} cluster" in written
    assert f"{maps.clustering.noise:.0%} noise" in written
    assert f"NMI with 3 classes {information:.2f}" in written
    assert "a planted corpus, n = 24 videos, one random second of each, seed 3" in written
    assert subject.checkpoint.fingerprint in curves
    assert "n = 120 seconds of 20 videos, seed 0" in curves


@pytest.mark.parametrize("objective", [{"published": True}, {"sum_kl": True, "sampled_distance": True}])
def test_curves_have_the_units_of_the_released_terms(subject: Subject, objective: dict[str, bool]) -> None:
    """By the settings, and by the flag that reports of earlier versions hold in their place."""

    def drawn(objective: dict[str, bool]) -> str:
        training = subject.checkpoint.training
        recipe = training["recipe"] | {"objective": objective}
        checkpoint = replace(subject.checkpoint, training=training | {"recipe": recipe})
        with paper():
            return texts(draw_curves(replace(subject, checkpoint=checkpoint)))

    sound = drawn(dict.fromkeys(objective, False))
    assert ("nats per latent unit" in sound, "W2², per latent unit" in sound, "norm of samples" in sound) == (1, 1, 0)
    released = drawn(objective)
    assert ("per latent unit" in released, "norm of samples" in released) == (False, True)


def test_pictures_of_the_training_videos_say_so(result: Trained) -> None:
    """Where the model has seen some of the videos, the line under the title says how many."""
    subject = Subject(planted_corpus(), result.checkpoint, "library x", 0, CPU)
    assert subject.caption("5") == "library x, n = 5, seed 0; the model was trained on 20 of the 20 videos"


def test_every_class_up_to_28_has_a_sign_of_its_own() -> None:
    """The most frequent come first; from the 29th on classes share one grey sign, and no point is lost."""
    label = np.concatenate([np.arange(40), [7, 7, 31]])
    zeros = np.zeros((len(label), 2), np.float32)
    groups = class_groups(Sample(zeros, zeros, label, tuple(f"c{n}" for n in range(40))))
    assert [g.name for g in groups[:3]] == ["c7", "c31", "c0"]
    assert len({(g.colour, g.marker) for g in groups}) == len(groups) == len(SIGNS) + 1 == 29
    assert groups[-1].name == "12 more classes"
    assert sorted(np.concatenate([g.rows for g in groups])) == list(range(len(label)))


class OneWay(Scorer):
    """Distance of sound second i to picture second j: |j - i - 2|: what is heard is seen two seconds later."""

    def score(self, query: Modality, queries: np.ndarray, target: Modality, items: np.ndarray) -> np.ndarray:
        shift = 2 if query == "audio" else -2
        return np.abs(items[None, :] - queries[:, None] - shift).astype(np.float64)


def clip_corpus() -> tuple[Corpus, Clip]:
    corpus = labelled(planted_corpus(videos=1, seconds=10), classes=1)
    return corpus, Clip(np.arange(10), 3, 2)


def test_rows_are_sounds_and_columns_are_pictures() -> None:
    """The matrix and both best windows agree with a score in which the picture lags the sound by two seconds."""
    corpus, clip = clip_corpus()
    matrix = score_matrix(corpus, OneWay(), clip)
    assert matrix[3, 5] == 0
    assert matrix[5, 3] == 4
    assert best_window(corpus, OneWay(), clip, "A2V") == 5
    assert best_window(corpus, OneWay(), clip, "V2A") == 1


def test_seconds_without_a_modality_have_no_distance() -> None:
    """A second that is not heard is an empty row, one that is not seen an empty column, and no window holds it."""
    corpus, clip = clip_corpus()
    corpus = replace(corpus, heard=corpus.start_s != 8, seen=corpus.start_s != 6)
    empty = np.isnan(score_matrix(corpus, OneWay(), clip))
    assert empty[8].all()
    assert empty[:, 6].all()
    assert empty.sum() == 10 + 10 - 1
    assert best_window(corpus, OneWay(), clip, "A2V") not in (5, 6)


def test_long_labels_are_cut_at_a_word() -> None:
    """What fits stays; what does not ends in an ellipsis, within the width, on one line."""
    assert short("dog", 10) == "dog"
    assert short("Male speech, man\nspeaking", 18) == "Male speech, man…"
    assert short("Male speech, man", 14) == "Male speech…"
    assert short("a" * 30, 10) == "a" * 9 + "…"


def test_the_users_settings_do_not_reach_the_pictures() -> None:
    """Whatever matplotlib is set to, the paper is white and a dollar is a dollar; afterwards all is as before."""
    import matplotlib

    with matplotlib.rc_context({"font.size": 30.0, "axes.grid": True, "text.parse_math": True}):
        with paper():
            assert matplotlib.rcParams["font.size"] == 8.5
            assert not matplotlib.rcParams["axes.grid"]
            figure = sheet(1.0, "no $_^$ formula", "caption")
            figure.canvas.draw()
        assert matplotlib.rcParams["font.size"] == 30.0
    assert figure.get_facecolor() == (1, 1, 1, 1)


def test_a_file_is_no_directory(subject: Subject, tmp_path: Path) -> None:
    """A file in the directory's place, or in its path, is refused with a message, and stays as it was."""
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(FigureError, match="is a file; a directory"):
        draw_page(file, subject)
    with pytest.raises(FigureError, match="cannot be made"):
        draw_page(file / "below", subject)
    assert file.read_text() == "mine"


def test_a_picture_that_cannot_be_written_is_an_error(subject: Subject, tmp_path: Path) -> None:
    """A directory in a picture's place is told by name."""
    (tmp_path / "latents.png").mkdir()
    with pytest.raises(FigureError, match=r"latents\.png cannot be written"):
        draw_page(tmp_path, subject)


def test_a_random_network_is_drawn_too(subject: Subject, tmp_path: Path) -> None:
    """Whatever the latents are, as long as they differ, there are maps and matrices."""
    page = draw_page(tmp_path, replace(subject, checkpoint=untrained(subject.checkpoint, 0)))
    assert names(page) == ["latents.png", "clusters.png", "localization.png"]


def test_clips_of_any_length_are_drawn(subject: Subject, tmp_path: Path) -> None:
    """Clips of different lengths, one of a minute, that begin late and lack a modality now and then, share a sheet."""
    short_clips, long_clip = planted_corpus(videos=2, seconds=4), planted_corpus(videos=1, seconds=60, seed=5)
    parts = (short_clips, long_clip)
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("audio", "visual", "heard", "seen", "event", "start_s")
    }
    video = np.concatenate([short_clips.video, long_clip.video + 2])
    corpus = labelled(
        Corpus(**joined, video=video, video_ids=("a", "b", "c"), label=np.zeros(3, np.int64), classes=("x",)), classes=2
    )
    corpus = replace(corpus, start_s=corpus.start_s + 100, heard=corpus.start_s != 0)
    page = draw_page(tmp_path, replace(subject, corpus=corpus))
    assert "localization.png" in names(page)


def test_the_command_draws_and_says_what_it_left_out(echolens: Command, own_library: Path, tmp_path: Path) -> None:
    """`evaluate --figures` of a library writes what can be drawn, with notes on standard error, JSON on the other."""
    ran = echolens("evaluate", "--library", own_library, "--galleries", 1, "--figures", tmp_path / "f", "--json")
    assert ran.code == 0, ran.err
    assert [p.name for p in (tmp_path / "f").iterdir()] == ["localization.png"]
    assert "latents.png is left out: a map needs 8 videos" in ran.err
    assert ran.out.startswith("{")


def test_the_command_refuses_a_file(echolens: Command, library: Path, tmp_path: Path) -> None:
    """A file in the place of the directory ends the command with a message and leaves the file."""
    file = tmp_path / "file"
    file.touch()
    ran = echolens("evaluate", "--library", library, "--figures", file)
    assert ran.code == 6
    assert "is a file; a directory for the pictures" in " ".join(ran.err.split())


def test_without_matplotlib_the_command_says_what_to_install(
    echolens: Command, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6, at once, and no empty directory: pictures are the only thing that needs it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith(("model.figures.canvas", "matplotlib."))]:
        monkeypatch.delitem(sys.modules, name)
    ran = echolens("evaluate", "--library", library, "--figures", tmp_path / "f")
    assert ran.code == 6
    assert "pip install matplotlib" in ran.err
    assert not (tmp_path / "f").exists()


def test_matplotlib_is_imported_only_for_pictures() -> None:
    """The command line, all its commands included, starts without matplotlib."""
    code = "import sys; from app.cli import command_line; command_line(); sys.exit('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
