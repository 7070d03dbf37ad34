"""How much footage is enough: what training gives one who has so many videos in all, beside what needs no training.

    python -m benchmarks.quality.learning_curve (--archive FILE.npz | --library DIR) --json OUT.json [--seeds 3]
        [--sizes 50,100,...] [--galleries 20] [--jobs 1] [--markdown OUT.md] [--picture OUT.png]
        [--split test] [--teacher default]

Footage and systems: archive.py and clips.py beside this file. The default recipe is trained on so many videos as
`echolens train` does it: of these alone some are held out, which choose epoch and weights. So there is no further
footage that a user would have to have. Seed s sets which videos these are, the fit and the galleries. `--jobs` fits at
once, in processes of one thread each.

With `--archive`: `--split` is what judges. `--teacher` never, or always, which is wherever the videos are enough for
its coarsest groups, compares what `Recipe.taught_videos` decides; compare on val.

Intervals: 95 %, over videos as queries and as items (decision 0018), of each video's mean over seeds; differences are
paired by video. They do not say how much another choice of training videos would change: `seeds` in OUT.json, and the
dots of the picture, do in part.

OUT.json is written anew after each fit, and holds the figures by video (`fits`): run again, the command goes on where
it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed, parallel_config

from benchmarks.quality.fits_file import read_fits, write_fits
from benchmarks.quality.learning_curve.archive import ArchiveExperiment
from benchmarks.quality.learning_curve.clips import ClipExperiment
from benchmarks.quality.learning_curve.experiment import Experiment
from benchmarks.quality.learning_curve.layout import Layout
from benchmarks.quality.learning_curve.table import Made, kept, markdown, summary
from model.data.archive import SPLITS
from model.data.corpus import FEWEST_VIDEOS
from model.training.recipe import DEFAULT, Recipe

TEACHERS = ("default", "always", "never")


@dataclass
class Curve:
    """Hold what was made so far, by number of videos and seed; kept in a file, tables and picture in others."""

    path: Path
    layout: Layout
    facts: dict[str, Any]
    tables: Path | None = None
    picture: Path | None = None
    fits: dict[int, dict[int, Made]] = field(default_factory=dict)

    def load(self) -> None:
        """Go on with the file if it is there.

        Raises:
            TrainingError: it is no learning curve, or of other footage, galleries or another recipe.
        """
        self.fits = read_fits(self.path, self.facts, int)

    def add(self, size: int, seed: int, made: Made) -> None:
        """Take in what a fit gave, and write all in one step."""
        self.fits.setdefault(size, {})[seed] = made
        self.fits = {n: dict(sorted(by_seed.items())) for n, by_seed in sorted(self.fits.items())}
        self.save()

    def save(self) -> None:
        """Write the file, and what is shown of it."""
        found = summary(self.layout, self.fits)
        write_fits(self.path, self.facts | {"summary": found, "fits": self.fits})
        if self.tables:
            self.tables.write_text(markdown(self.layout, found))
        if self.picture:
            from benchmarks.quality.learning_curve.picture import draw

            draw(self.layout, found, self.picture)


def main(arguments: list[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--archive", type=Path)
    source.add_argument("--library", type=Path, help="ingested with a front-end that has a prior")
    parser.add_argument("--sizes", help="numbers of training videos, with commas between them")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--galleries", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--split", choices=[s for s in SPLITS if s != "train"], default="test")
    parser.add_argument("--teacher", choices=TEACHERS, default="default")
    given = parser.parse_args(arguments)
    if min(given.seeds, given.galleries, given.jobs) < 1:
        parser.error("--seeds, --galleries and --jobs of 1 or more expected")
    for path in (given.json, given.markdown, given.picture):
        if path and not path.parent.is_dir():
            parser.error(f"{path.parent} is no directory: make it first")
    if given.library and (given.split, given.teacher) != ("test", "default"):
        parser.error("--split or --teacher given with --library: they are for --archive; leave them out")
    recipe = recipe_with(given.teacher)
    experiment: Experiment = (
        ArchiveExperiment(given.archive, given.split, recipe)
        if given.archive
        else ClipExperiment(given.library, recipe)
    )
    sizes = experiment.sizes
    if given.sizes:
        try:
            sizes = tuple(sorted({int(size) for size in given.sizes.split(",")}))
        except ValueError:
            parser.error(f"--sizes {given.sizes} given, numbers with commas between them expected")
    if not sizes or not FEWEST_VIDEOS <= sizes[0] <= sizes[-1] <= experiment.most:
        parser.error(f"--sizes from {FEWEST_VIDEOS} to {experiment.most} expected, which is how many videos there are")
    facts = experiment.facts | {"galleries": given.galleries, "recipe": asdict(recipe)}
    curve = Curve(given.json, experiment.layout, facts, given.markdown, given.picture)
    curve.load()
    for text in done(curve, experiment, sizes, given):
        print(text, flush=True)
    curve.save()
    print(markdown(curve.layout, summary(curve.layout, curve.fits)))


def recipe_with(teacher: str) -> Recipe:
    """Return the default recipe with a teacher as it decides, always or never."""
    if teacher == "always":
        return replace(DEFAULT, taught_videos=0)
    return replace(DEFAULT, groups=()) if teacher == "never" else DEFAULT


def done(curve: Curve, experiment: Experiment, sizes: tuple[int, ...], given: argparse.Namespace) -> Iterator[str]:
    """Do what is missing, seed by seed, in so many processes; save what each fit gave, and say so."""
    missing = [(n, seed) for seed in range(given.seeds) for n in sizes if seed not in curve.fits.get(n, {})]
    with parallel_config("loky", inner_max_num_threads=1):
        made = Parallel(given.jobs, return_as="generator_unordered", mmap_mode="c")(
            delayed(make)(experiment, size, seed, given.galleries) for size, seed in missing
        )
    for number, (size, seed, one) in enumerate(made, start=1):
        curve.add(size, seed, one)
        yield f"{number}/{len(missing)} seed {seed}: {size} videos, {one['fit_s']:.0f} s"


def make(experiment: Experiment, size: int, seed: int, galleries: int) -> tuple[int, int, Made]:
    """Fit and judge; return the size, the seed and what is kept."""
    torch.set_num_threads(1)
    measured = experiment.measure(size, seed, galleries)
    systems = {name: kept(figures, experiment.layout) for name, figures in measured.systems.items()}
    return size, seed, measured.facts | {"systems": systems}


if __name__ == "__main__":
    main()
