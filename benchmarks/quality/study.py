"""What moves the figures: variants of the default recipe, each against the default or another, paired by video.

    python -m benchmarks.quality.study --archive FILE.npz --json OUT.json [--seeds 3] [--split val] [--variants a,b]
        [--against default] [--galleries 20] [--jobs 1] [--markdown OUT.md]

Each variant (benchmarks/quality/variants.py) is trained on `train`; epoch and score weights are chosen on `val`,
without labels, as ever; the figures are of `--split`, never `test`. Seed s sets the fit and the galleries,
which are the same for every variant. Rows beside them: chance and linear CCA. `--jobs`
fits at once, in processes of one thread each.

Figures: MRR and mAP of retrieval; exact match of localization over all circular windows, by the sum of distances;
active units (of which the mean varies) and KL to the prior in nats, over paired seconds of `val`. Intervals: 95 %,
bootstrap over videos, as queries alone, of each video's mean over seeds; differences from
the variant `--against` are taken by video, over the seeds that both have.

OUT.json is written anew after each fit, and holds the figures by video (`fits`): run again, the command goes on where
it was, and makes anew only what another recipe makes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config

from benchmarks.quality.fits_file import read_fits, write_fits
from benchmarks.quality.study_table import DEFAULT_NAME, Made, columns, markdown, row
from benchmarks.quality.variants import CPU, Fit, Judges, baselines, known, variants
from model.baselines.msvae import ARCHIVE
from model.data.archive import SPLITS, load_archive
from model.data.corpus import Corpus
from model.errors import TrainingError
from model.judging.evaluation import eligible_seconds, measure
from model.training.plan import train
from model.training.recipe import completed

DIGITS = 6  # of a video's figures in the file


@dataclass(frozen=True)
class Task:
    """Say what one process does: fit once, judge for each of these variants."""

    archive: Path
    split: str
    galleries: int
    names: tuple[str, ...]
    seed: int


@dataclass
class Study:
    """Hold what was made so far, by variant and seed, and its summary; kept in a file, its tables in another."""

    path: Path
    facts: dict[str, Any]
    tables: Path | None = None
    against: str = DEFAULT_NAME
    fits: dict[str, dict[str, Made]] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def open(path: Path, facts: dict[str, Any], tables: Path | None = None, against: str = DEFAULT_NAME) -> Study:
        """Go on with the file if it is there.

        Raises:
            TrainingError: it is no study, or of another archive, split or number of galleries.
        """
        study = Study(path, facts, tables, against)
        study.fits = {name: made for name, made in read_fits(path, facts, str).items() if name in known()}
        for name, made in study.fits.items():
            study.fits[name] = {seed: one for seed, one in made.items() if _as_json(one["recipe"]) == recipe_of(name)}
        study.summarize(list(study.fits))
        return study

    def add(self, name: str, seed: int, made: Made) -> None:
        """Take in what a fit gave."""
        self.fits.setdefault(name, {})[str(seed)] = made

    def summarize(self, changed: list[str]) -> None:
        """Bring the rows of some variants up to date; all of them if the control is among these."""
        names = list(self.fits) if self.against in changed else changed
        control = self.fits.get(self.against, {})
        self.rows |= {name: row(name, self.fits[name], control, self.against) for name in names}
        self.rows = {name: self.rows[name] for name in known() if name in self.rows}

    def save(self) -> None:
        """Write in one step."""
        report = self.facts | {"variants": self.rows, "fits": self.fits}
        write_fits(self.path, report)
        if self.tables:
            self.tables.write_text(self.markdown())

    def markdown(self) -> str:
        """Return the summary as tables."""
        return markdown(self.rows, self.facts["split"], self.against)


def main(arguments: list[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=[s for s in SPLITS if s != "test"], default="val")
    parser.add_argument("--variants", default="", help=f"some of {', '.join(known())}; all if left out")
    parser.add_argument("--against", choices=list(known()), metavar="VARIANT", help=f"{DEFAULT_NAME} if left out")
    parser.add_argument("--galleries", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    names = [name.strip() for name in given.variants.split(",") if name.strip()] or list(known())
    if unknown := [name for name in names if name not in known()]:
        parser.error(f"variant {', '.join(unknown)} given, some of {', '.join(known())} expected")
    if min(given.seeds, given.galleries, given.jobs) < 1:
        parser.error("--seeds, --galleries and --jobs of 1 or more expected")
    for path in (given.json, given.markdown):
        if path and not path.parent.is_dir():
            parser.error(f"{path.parent} is no directory: make it first")
    archive = load_archive(given.archive)
    eligible_seconds(archive.corpus(given.split))  # before hours of training, not after
    facts = {"archive": archive.sha256, "split": given.split, "galleries": given.galleries}
    study = Study.open(given.json, facts, given.markdown, given.against or DEFAULT_NAME)
    if given.against and given.against not in names and not study.fits.get(given.against):
        parser.error(
            f"--against {given.against} given, but {given.json} holds no fit of it: add {given.against} to --variants"
        )
    tasks = missing(study, names, given.seeds, Task(given.archive, given.split, given.galleries, (), 0))
    for text in done(study, tasks, given.jobs):
        print(text, flush=True)
    study.save()
    print(study.markdown())


def missing(study: Study, names: list[str], seeds: int, frame: Task) -> list[Task]:
    """Return what is still to be made, seed by seed, the default first; names of one recipe in one task."""
    tasks = []
    for seed in range(seeds):
        wanted = [n for n in known() if n in names and str(seed) not in study.fits.get(n, {})]
        groups: dict[str, list[str]] = {}
        for name in wanted:
            recipe = recipe_of(name)
            groups.setdefault(name if recipe is None else json.dumps(recipe), []).append(name)
        tasks += [Task(frame.archive, frame.split, frame.galleries, tuple(g), seed) for g in groups.values()]
    return tasks


def done(study: Study, tasks: list[Task], jobs: int) -> Iterator[str]:
    """Do the tasks in so many processes; take in and save what each gave, and say so."""
    with parallel_config("loky", inner_max_num_threads=1):
        made = Parallel(jobs, return_as="generator_unordered")(delayed(_named)(task) for task in tasks)
    for number, (task, found) in enumerate(made, start=1):
        for name, one in found.items():
            study.add(name, task.seed, one)
        study.summarize(list(task.names))
        study.save()
        yield f"{number}/{len(tasks)} seed {task.seed}: {', '.join(task.names)}"


def _named(task: Task) -> tuple[Task, dict[str, Made]]:
    return task, make(task)


def make(task: Task) -> dict[str, Made]:
    """Fit once and judge for each name; a recipe that cannot be trained is recorded with what it says."""
    torch.set_num_threads(1)
    archive = load_archive(task.archive)
    training, val, judged = (archive.corpus(split) for split in ("train", "val", task.split))
    try:
        fit, facts = fitted(task.names[0], task.seed, training, val, judged)
    except TrainingError as error:
        return {name: {"recipe": recipe_of(name), "error": str(error)} for name in task.names}
    found = {}
    for name in task.names:
        judges = variants()[name].judge(fit) if isinstance(fit, Fit) else fit
        figures = measure(judged, *judges, task.galleries, task.seed)
        videos = {c: [None if np.isnan(v) else round(float(v), DIGITS) for v in x] for c, x in columns(figures).items()}
        found[name] = facts | {"recipe": recipe_of(name), "videos": videos}
    return found


def fitted(name: str, seed: int, training: Corpus, val: Corpus, judged: Corpus) -> tuple[Fit | Judges, Made]:
    """Fit a variant, or a baseline; return what judges by it, and the facts of the fit.

    Raises:
        TrainingError: it cannot be trained.
    """
    start = time.perf_counter()
    if name in baselines():
        judges = baselines()[name].fit(training, val, seed, CPU).judges(judged)
        return judges, {"fit_s": time.perf_counter() - start}
    checkpoint = train(training, variants()[name].recipe, ARCHIVE, seed, CPU, val).checkpoint
    facts = {k: checkpoint.training[k] for k in ("generated_share", "kept_epoch", "epochs", "posterior")}
    return Fit(checkpoint, training, val, judged, seed), facts | {"fit_s": time.perf_counter() - start}


def recipe_of(name: str) -> Any:
    """Return a variant's recipe as JSON has it; None for what has none."""
    return None if name in baselines() else _as_json(asdict(variants()[name].recipe))


def _as_json(recipe: dict[str, Any] | None) -> Any:
    """Return a recipe as JSON has it, with the settings that an earlier version did not know."""
    return None if recipe is None else json.loads(json.dumps(completed(recipe)))


if __name__ == "__main__":
    main()
