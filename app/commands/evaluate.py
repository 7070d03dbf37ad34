"""echolens evaluate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.figures_page import show_figures
from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption, SeedOption
from app.commands.terminal import opened, out, print_json, progress, say
from app.commands.train import archive_model
from model.errors import Mismatch, NothingLabelled
from model.network.device import DeviceName, choose_device

if TYPE_CHECKING:
    from rich.table import Table

    from model.data.corpus import Corpus
    from model.judging.evaluation import Interval, Report
    from model.judging.own_video import OwnVideo
    from model.judging.scorers import Scorer
    from model.network.checkpoint import Checkpoint

CHANCE = "random_ranking"


def evaluate_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    archive: Annotated[
        Path | None, typer.Option(exists=True, help="evaluate on a feature archive instead of a library")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="the archive's model (default: where `train` put it)")] = None,
    split: Annotated[str, typer.Option(help="split of the archive")] = "test",
    galleries: Annotated[int, typer.Option(min=1, help="number of draws of one second per video")] = 20,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    figures: Annotated[Path | None, typer.Option(help="directory to draw pictures of the model into, too")] = None,
) -> None:
    """Measure the model by own video and, where videos are labelled, by label; beside it chance and other systems."""
    import numpy as np

    from app.library.measurement import MeasuredModel, notes_of
    from model.baselines.blind import blind_rules
    from model.figures.page import require_matplotlib
    from model.figures.subject import Subject
    from model.judging.evaluation import evaluate
    from model.judging.own_video import own_video

    if figures:
        require_matplotlib()  # now, not after minutes of work
    if archive:
        corpus, judge, systems, facts = _archive_systems(
            archive, checkpoint or archive_model(library, archive), split, seed, device
        )
    else:
        corpus, judge, systems, facts = _library_systems(library, seed, device)
    if figures:  # first, since they need no labels
        source = f"{split} split of {archive.stem}" if archive else f"library {library.resolve().name}"
        show_figures(figures, Subject(corpus, judge, source, seed, choose_device(device)))
    paired = np.flatnonzero(corpus.paired)
    labelled, reason = _labelled(corpus)
    own: dict[str, OwnVideo] = {}
    reports: dict[str, Report] = {}
    with progress(len(systems), "evaluate") as step:
        for name, scorer in systems.items():
            if name != CHANCE:
                own[name] = own_video(scorer, paired, corpus.video[paired], galleries, seed)
            if labelled:
                reports[name] = evaluate(corpus, scorer, galleries, seed)
            step(name)
    rules = blind_rules(corpus, seed) if labelled else {}
    measured = np.unique(corpus.video[paired])
    own_trained_on = judge.trained_on(corpus.video_ids[v] for v in measured)
    notes = [*notes_of(own_trained_on, len(measured)), *([f"nothing is measured by label: {reason}"] if reason else [])]
    facts |= {"videos": len(labelled), "labelled": len(labelled), "trained_on": judge.trained_on(labelled)}
    facts |= {"model": asdict(MeasuredModel.of(judge)), "galleries": galleries, "seed": seed, "protocol": "corrected"}
    if as_json:
        print_json(_json(facts | {"notes": notes}, own, reports, rules, own_trained_on))
        return
    out.print(_own_video_table(own))
    for direction in ("AV", "VA"):
        out.print(_recall_table(own, direction))
    if reports:
        out.print(_retrieval_table(reports))
        out.print(_localization_table({n: r.localization for n, r in reports.items()} | rules))
    out.print(facts)
    for note in notes:
        say(f"{note[0].upper()}{note[1:]}.")


def _json(
    facts: dict[str, Any],
    own: dict[str, OwnVideo],
    reports: dict[str, Report],
    rules: dict[str, Any],
    own_trained_on: int,
) -> dict[str, Any]:
    """Return what GET /metrics/mrr answers, and beside it `systems` and `rules`."""
    from model.judging.evaluation import of_each

    own_video = {name: asdict(one) for name, one in own.items()}
    by_label = {name: asdict(report) for name, report in reports.items()}
    others = [name for name in own if name != "echolens"]
    return facts | {
        "own_video": own_video["echolens"] | {"trained_on": own_trained_on},
        "echolens": by_label.get("echolens"),
        "chance": by_label.get(CHANCE),
        "systems": {name: {"own_video": own_video[name], "by_label": by_label.get(name)} for name in others},
        "rules": {name: {"localization": of_each(asdict, rule)} for name, rule in rules.items()},
    }


def _labelled(corpus: Corpus) -> tuple[list[str], str | None]:
    """Return the labelled videos that can be measured, or why there are too few."""
    import numpy as np

    from model.judging.evaluation import eligible_seconds

    try:
        seconds = eligible_seconds(corpus)
    except NothingLabelled as error:
        return [], str(error)
    return [corpus.video_ids[v] for v in np.unique(corpus.video[seconds])], None


def _library_systems(
    library: Path, seed: int, device: DeviceName
) -> tuple[Corpus, Checkpoint, dict[str, Scorer], dict[str, Any]]:
    from app.library.features import corpus_of

    with opened(library, device) as session:
        checkpoint = session.encoder.checkpoint
        stats = session.library.catalogue.stats()
        with progress(stats.videos, "features") as step:
            corpus = corpus_of(session, lambda _: step())
        facts = {"fingerprint": stats.fingerprint, "catalogue_version": stats.catalogue_version}
        return corpus, checkpoint, _systems(checkpoint, corpus, None, seed, device), facts


def _archive_systems(
    path: Path, checkpoint_path: Path, split: str, seed: int, device: DeviceName
) -> tuple[Corpus, Checkpoint, dict[str, Scorer], dict[str, Any]]:
    from model.data.archive import load_archive
    from model.network.checkpoint import Checkpoint

    features, checkpoint = load_archive(path), Checkpoint.load(checkpoint_path)
    if checkpoint.front_end_identity != features.identity:
        raise Mismatch(
            f"the checkpoint was trained on {checkpoint.front_end_identity}, the archive holds {features.identity}"
        )
    corpus = features.corpus(split)
    facts: dict[str, Any] = {"fingerprint": checkpoint.fingerprint, "archive": features.sha256, "split": split}
    return corpus, checkpoint, _systems(checkpoint, corpus, features.corpus("train"), seed, device), facts


def _systems(
    checkpoint: Checkpoint, corpus: Corpus, train: Corpus | None, seed: int, device: DeviceName
) -> dict[str, Scorer]:
    from model.judging.scorers import Correlation, LatentScorer, RandomScorer, untrained

    chosen = choose_device(device)
    systems: dict[str, Scorer] = {
        CHANCE: RandomScorer(seed),
        "random_init": LatentScorer.of_checkpoint(untrained(checkpoint, seed), corpus, chosen),
    }
    if train is not None:
        systems["linear_cca"] = Correlation.fit(train)(corpus)
    return systems | {"echolens": LatentScorer.of_checkpoint(checkpoint, corpus, chosen)}


def _own_video_table(own: dict[str, OwnVideo]) -> Table:
    """Return MRR of the own video among nine, where there are nine, and among all."""
    sizes = [size for size in ("nine", "all") if getattr(own["echolens"], size)]
    columns = {
        f"{getattr(own['echolens'], size).gallery}: {d[0]}-{d[1]}": (size, d) for size in sizes for d in ("AV", "VA")
    }
    table = _table("own video among", list(columns))
    table.add_row("chance", *(_short(getattr(own["echolens"], size).chance) for size, _ in columns.values()))
    for name, one in own.items():
        table.add_row(name, *(_text(getattr(one, size).mrr[d]) for size, d in columns.values()))
    return table


def _recall_table(own: dict[str, OwnVideo], direction: str) -> Table:
    """Return how often the own video is among the first 1, 5 and 10 of all, in one direction."""
    recall_at = own["echolens"].recall_at
    table = _table(f"{direction[0]}-{direction[1]}: own video among the first", list(recall_at))
    table.add_row("chance", *(_short(of.chance) for of in recall_at.values()))
    for name, one in own.items():
        table.add_row(name, *(_text(of.recall[direction]) for of in one.recall_at.values()))
    return table


def _retrieval_table(reports: dict[str, Report]) -> Table:
    table = _table("MRR by label", ["A-A", "A-V", "V-A", "V-V"])
    for name, report in reports.items():
        table.add_row(name, *(_text(f["mrr"]) for f in report.retrieval.values()))
    return table


def _localization_table(reports: dict[str, dict[str, dict[str, dict[str, Interval]]]]) -> Table:
    table = _table("exact match", [f"{view} {c}" for view in ("plain", "rolled") for c in ("A2V", "V2A")])
    for name, report in reports.items():
        table.add_row(name, *(_text(f["exact"]) for crossings in report.values() for f in crossings.values()))
    return table


def _table(title: str, columns: list[str]) -> Table:
    from rich.table import Table

    table = Table(box=None)
    for column in (title, *columns):
        table.add_column(column, no_wrap=True)
    return table


def _text(interval: Interval) -> str:
    """Return a mean and its interval as `.88 [.85 .90]`."""
    if interval.mean is None:
        return "-"
    if interval.low is None:
        return _short(interval.mean)
    return f"{_short(interval.mean)} [{_short(interval.low)} {_short(interval.high)}]"


def _short(share: float | None) -> str:
    return f"{share:.2f}".removeprefix("0")
