"""The pictures of the study: what the model is given, its latents on a plane, and their clusters."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from benchmarks.quality.voxceleb.front_end import BINS, FACE_PX
from model.data.corpus import Corpus
from model.data.draws import draw_seconds
from model.figures.canvas import SIGNS, paper, save, sheet
from model.figures.embedding import find_clusters, project
from model.figures.maps import Maps, draw_clusters, draw_latents
from model.figures.subject import Sample
from model.judging.scorers import Correlation
from model.media.segments import SAMPLE_RATE_HZ

COLOURS = 64
MAPPED = 20  # identities on a map: more could not be told apart by eye
GIVEN, ACROSS, DOWN = 6, 2, 3  # identities, and the videos of each, of the picture of what the model is given


@dataclass(frozen=True)
class Agreement:
    """Say how far clusters agree with identities; `adjusted_*` are 0 for random ones. Noise counts as a group."""

    points: int
    identities: int
    clusters: int
    noise: float
    nmi: float
    adjusted_mi: float
    adjusted_rand: float

    @staticmethod
    def of(points: Float64[np.ndarray, "n 2"], sample: Sample) -> Agreement:
        """Cluster a map by density and compare."""
        found = find_clusters(points)
        nmi, adjusted = found.agreement(sample.label)
        rand = float(adjusted_rand_score(sample.label, found.cluster))
        identities = len(np.unique(sample.label))
        return Agreement(len(sample), identities, found.count, found.noise, nmi, adjusted, rand)


def mapped(corpus: Corpus, seed: int) -> Corpus:
    """Return one random second of voice and face of each video of the first 20 identities."""
    first = np.isin(corpus.label, np.unique(corpus.label)[:MAPPED])
    seconds = np.flatnonzero(corpus.paired & first[corpus.video])
    rows = seconds[draw_seconds(corpus.video[seconds], 1, np.random.default_rng(seed))[0]]
    per_second = {
        name: getattr(corpus, name)[rows] for name in ("audio", "visual", "heard", "seen", "event", "start_s")
    }
    videos = corpus.video[rows]
    ids = tuple(corpus.video_ids[video] for video in videos)
    return replace(corpus, **per_second, video=np.arange(len(rows)), video_ids=ids, label=corpus.label[videos])


def agreements(maps: Maps, correlation: Correlation) -> dict[str, dict[str, float]]:
    """Return how far the clusters of each map, and of linear CCA's joint projections, agree with identities."""
    corpus = maps.subject.corpus  # a second of each video, in the order of the sample
    found = {name: Agreement.of(getattr(maps, name), maps.sample) for name in ("audio", "visual", "joint")}
    sides = (correlation.audio(corpus.audio), correlation.visual(corpus.visual))
    joint = sum(side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    found["joint_of_linear_cca"] = Agreement.of(project(np.asarray(joint, np.float32), maps.subject.seed), maps.sample)
    return {name: asdict(one) for name, one in found.items()}


def draw(directory: Path, name: str, maps: Maps) -> None:
    """Write the latents and the clusters of a protocol."""
    with paper():
        _save(draw_latents(maps), directory / f"latents-{name}.png")
        _save(draw_clusters(maps), directory / f"clusters-{name}.png")


def draw_given(path: Path, corpus: Corpus, source: str) -> None:
    """Write a picture of the features of some identities: faces, and spectra below them, from several videos each."""
    with paper():
        _save(_given(corpus, source), path)


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG of 64 colours: small enough for the docs."""
    save(figure, path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


def _given(corpus: Corpus, source: str) -> Figure:
    identities = np.unique(corpus.label)[:GIVEN]
    caption = (
        f"{source}. Above: grey faces of {FACE_PX} x {FACE_PX} pixels, one of each of {ACROSS * DOWN} videos. Below: "
        "the same seconds of sound, each a spectrum averaged over the second"
    )
    figure = sheet(4.2, "What the model is given", caption)
    halves = figure.subplots(2, len(identities), height_ratios=(1.2, 1), sharey="row")
    kilohertz = np.arange(1, BINS + 1) * SAMPLE_RATE_HZ / (2 * BINS) / 1000
    for column, (identity, (colour, _)) in enumerate(zip(identities, SIGNS, strict=False)):
        videos = np.flatnonzero(corpus.label == identity)[: ACROSS * DOWN]
        rows = [np.flatnonzero((corpus.video == video) & corpus.paired)[0] for video in videos]
        faces, spectra = halves[:, column]
        pixels = np.ones((ACROSS * DOWN, FACE_PX, FACE_PX))
        pixels[: len(rows)] = corpus.visual[rows].reshape(-1, FACE_PX, FACE_PX)
        grid = np.vstack([np.hstack(list(row)) for row in pixels.reshape(DOWN, ACROSS, FACE_PX, FACE_PX)])
        faces.imshow(grid, cmap="gray", vmin=0, vmax=1)
        faces.set_axis_off()
        faces.set_title(corpus.classes[identity], loc="center")
        spectra.plot(kilohertz, corpus.audio[rows].T, color=colour, linewidth=0.5)
        spectra.set(xlabel="kHz", xlim=(0, 8), ylabel="power (bel)" if column == 0 else "")
    return figure
