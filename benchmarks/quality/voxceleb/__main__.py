"""Voices and faces: does a voice find its face? The study of Srijay and Balla (2022), on VoxCeleb or a stand-in.

    python -m benchmarks.quality.voxceleb [--data DIR | --into DIR] [--seeds 3] [--jobs 1] [--seconds 10]
        [--galleries 20] [--systems a,b] [--stand-in-seed 0] [--json OUT.json] [--markdown OUT.md] [--figures DIR]

`--data`: VoxCeleb1 or 2, faces beside the sound (docs/datasets.md). Without it a stand-in of the same layout is
generated, in `--into` or in a temporary directory; every table and picture says so.

Features: a spectrogram averaged over a second, 512 bins, and a grey face of 23 x 23 (front_end.py). Protocols: `seen`,
other videos of the identities that were trained on, by iden_split.txt (1 and 2 train, 3 test); `unseen`, other
identities, by vox1_meta.csv (dev, test). A fifth of the training videos is held out for every choice (epoch, weights of
the score). No system but `msvae_published` sees an identity in training.

Systems, latent 100: `msvae_w`, the MS-VAE of Zhu et al. (ICASSP 2021) with W, trained soundly, of which the pictures
are; `msvae_published`, the same as it was released; `echolens`, the project's recipe; linear CCA; chance. `--systems`:
some of them, `msvae_w` always.
Figures: MRR by identity, with 95 % intervals over identities (identity_mrr.py); seed s sets the fit and the galleries.
Clusters: DBSCAN on t-SNE maps of one second of each test video of 20 identities, by `msvae_w` with seed 0.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config

from benchmarks.quality.voxceleb.features import Videos, read_videos
from benchmarks.quality.voxceleb.front_end import VoiceAndFace
from benchmarks.quality.voxceleb.identity_mrr import IdentityMrr, measure
from benchmarks.quality.voxceleb.pictures import agreements, draw, draw_given, mapped
from benchmarks.quality.voxceleb.stand_in import MARK, Size, write_stand_in
from benchmarks.quality.voxceleb.tables import markdown
from benchmarks.report import json_parser, write
from model.baselines.blind import RandomRanking
from model.baselines.linear_cca import LinearCca
from model.baselines.msvae import WITH_W, Msvae
from model.baselines.msvae_published import MsvaePublished
from model.baselines.system import System
from model.data.corpus import Corpus, fold
from model.figures.maps import Maps
from model.figures.subject import Subject
from model.frontends.contract import check_front_end
from model.judging.scorers import Correlation
from model.network.checkpoint import Checkpoint
from model.training.plan import FOLDS
from model.training.recipe import DEFAULT, PUBLISHED, Recipe

CPU = torch.device("cpu")
LATENT = 100
PAPER, REFERENCE, CHANCE = "msvae_w", "linear_cca", "chance"
PICTURED_SEED = 0  # of `PAPER`


@dataclass(frozen=True)
class Recipes:
    """Hold the recipes of the three trained systems."""

    with_w: Recipe = replace(WITH_W, latent=LATENT)
    default: Recipe = replace(DEFAULT, latent=LATENT)
    published: Recipe = PUBLISHED

    @property
    def systems(self) -> dict[str, System]:
        """Return the systems, in the order of the table."""
        return {
            PAPER: Msvae(PAPER, self.with_w),
            "msvae_published": MsvaePublished(self.published),
            "echolens": Msvae("echolens", self.default),
            REFERENCE: LinearCca(),
            CHANCE: RandomRanking(),
        }


@dataclass(frozen=True, eq=False)
class Trial:
    """Hold what a fit gave, and how long it took; `checkpoint`: of the fit that the pictures show."""

    system: str
    mrr: dict[str, IdentityMrr]
    fit_s: float
    checkpoint: Checkpoint | None


@dataclass(frozen=True, eq=False)
class Contest:
    """Hold what every system is fitted on (`train`), chooses by (`val`) and is judged by."""

    train: Corpus
    val: Corpus
    judged: Corpus
    galleries: int

    @staticmethod
    def on(training: Corpus, judged: Corpus, galleries: int) -> Contest:
        """Hold a fifth of the training videos out; it is the same for every seed."""
        kept, held_out = fold(training, FOLDS, 0)[0]
        return Contest(kept, held_out, judged, galleries)

    def trial(self, name: str, recipes: Recipes, seed: int) -> Trial:
        """Fit a system and judge it."""
        torch.set_num_threads(1)
        start = time.perf_counter()
        fitted = recipes.systems[name].fit(self.train, self.val, seed, CPU)
        fit_s = time.perf_counter() - start
        assert fitted.scorer is not None, "all of these retrieve"
        mrr = measure(self.judged, fitted.scorer(self.judged), self.galleries, seed)
        return Trial(name, mrr, fit_s, fitted.checkpoint if (name, seed) == (PAPER, PICTURED_SEED) else None)

    def facts(self) -> dict[str, Any]:
        """Return the sizes."""
        parts = {"train": self.train, "held_out": self.val, "test": self.judged}
        return {
            name: {"videos": len(c), "identities": len(np.unique(c.label)), "paired_seconds": int(c.paired.sum())}
            for name, c in parts.items()
        }


def main(arguments: list[str] | None = None) -> None:
    """Run it."""
    parser = json_parser(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--into", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--galleries", type=int, default=20)
    parser.add_argument("--systems", help=f"with commas between them, {PAPER} among them; all if left out")
    parser.add_argument("--stand-in-seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--figures", type=Path)
    given = parser.parse_args(arguments)
    if min(given.seeds, given.jobs, given.seconds, given.galleries) < 1:
        parser.error("--seeds, --jobs, --seconds and --galleries of 1 or more expected")
    given.systems = given.systems.split(",") if given.systems else list(Recipes().systems)
    if PAPER not in given.systems or not set(given.systems) <= set(Recipes().systems):
        names = ", ".join(Recipes().systems)
        parser.error(f"--systems {','.join(given.systems)} given, {PAPER} and some of {names} expected")
    if given.data and given.into:
        parser.error("--data takes what is there, --into makes a stand-in: one of them expected")
    report = study(given, Size(), Recipes())
    write(report, given.json)
    text = markdown(report)
    print(text)
    if given.markdown:
        given.markdown.write_text(text)


def study(given: Namespace, size: Size, recipes: Recipes) -> dict[str, Any]:
    """Return the report of the study, and write its pictures."""
    with ExitStack() as stack:
        directory = given.data
        if directory is None:
            directory = given.into or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "stand-in"
            _say(f"generating a stand-in of VoxCeleb1 in {directory}")
            write_stand_in(directory, size, given.stand_in_seed)
        front_end = check_front_end(VoiceAndFace(), VoiceAndFace.name, directory, keep=False)
        videos = read_videos(directory, front_end, given.seconds, _every(100))
        source = "Generated stand-in, not VoxCeleb" if (directory / MARK).is_file() else "VoxCeleb"
    if given.figures:
        given.figures.mkdir(parents=True, exist_ok=True)
        draw_given(given.figures / "given.png", videos.corpus, source)
    protocols = {name: _protocol(name, *of, source, given, recipes) for name, of in videos.protocols().items()}
    return _sizes(videos, source, given) | {"protocols": protocols}


def _sizes(videos: Videos, source: str, given: Namespace) -> dict[str, Any]:
    return {
        "source": source,
        "videos": len(videos.corpus),
        "identities": len(videos.corpus.classes),
        "seconds": len(videos.corpus.video),
        "faults": list(videos.faults),
        "seeds": given.seeds,
        "galleries": given.galleries,
        "stand_in_seed": None if given.data else given.stand_in_seed,
    }


def _protocol(
    name: str, training: Corpus, judged: Corpus, source: str, given: Namespace, recipes: Recipes
) -> dict[str, Any]:
    contest = Contest.on(training, judged, given.galleries)
    wanted = (delayed(contest.trial)(system, recipes, s) for s in range(given.seeds) for system in given.systems)
    trials = list[Trial]()
    with parallel_config("loky", inner_max_num_threads=1):
        for trial in Parallel(given.jobs, return_as="generator_unordered", mmap_mode="c")(wanted):
            _say(f"{name}: {trial.system}, fitted in {trial.fit_s:.0f} s")
            trials.append(trial)
    figures = {
        system: {
            direction: IdentityMrr.mean_of([trial.mrr[direction] for trial in trials if trial.system == system])
            for direction in trials[0].mrr
        }
        for system in given.systems
    }
    checkpoint = next(trial.checkpoint for trial in trials if trial.checkpoint)
    return {
        "sizes": contest.facts(),
        "mrr": {system: _intervals(of) for system, of in figures.items()},
        "fit_s": {system: float(np.mean([t.fit_s for t in trials if t.system == system])) for system in figures},
        "msvae_w_minus": {
            other: _intervals({d: figures[PAPER][d] - of[d] for d in of})
            for other, of in figures.items()
            if other != PAPER
        },
        "posterior": checkpoint.training["posterior"],
        "clusters": _maps(name, contest, checkpoint, source, given.figures),
    }


def _maps(name: str, contest: Contest, checkpoint: Checkpoint, source: str, figures: Path | None) -> dict[str, Any]:
    """Map the latents of some identities, draw them if asked to, and return how far clusters agree with identities."""
    corpus = mapped(contest.judged, 0)
    about = f"{source}; {name} identities, {len(np.unique(corpus.label))} of {len(np.unique(contest.judged.label))}"
    maps = Maps.of(Subject(corpus, checkpoint, about, 0, CPU))
    if figures:
        draw(figures, name, maps)
    return agreements(maps, Correlation.fit(contest.train))


def _intervals(found: dict[str, IdentityMrr]) -> dict[str, Any]:
    return {direction: asdict(one.interval) for direction, one in found.items()}


def _say(text: str) -> None:
    print(text, flush=True)


def _every(number: int) -> Callable[[str], None]:
    """Return what says one name of so many."""
    count = 0

    def said(name: str) -> None:
        nonlocal count
        count += 1
        if count % number == 0:
            _say(f"{count} videos read, the last one {name}")

    return said


if __name__ == "__main__":
    main()
