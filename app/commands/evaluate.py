"""echolens evaluate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.figures_page import show_figures
from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption, SeedOption
from app.commands.terminal import opened, out, print_json, progress
from app.commands.train import archive_model
from model.errors import Mismatch
from model.network.device import DeviceName, choose_device

if TYPE_CHECKING:
    from rich.table import Table

    from model.data.corpus import Corpus
    from model.judging.evaluation import Interval, Report
    from model.judging.scorers import Scorer
    from model.network.checkpoint import Checkpoint


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
    """Measure the model on labelled footage, and beside it chance, blind rules and an untrained network."""
    from model.baselines.blind import blind_rules
    from model.figures.subject import Subject
    from model.judging.evaluation import evaluate, of_each

    if archive:
        corpus, judge, systems, facts = _archive_systems(
            archive, checkpoint or archive_model(library, archive), split, seed, device
        )
    else:
        corpus, judge, systems, facts = _library_systems(library, seed, device)
    if figures:  # first, since they need no labels
        source = f"{split} split of {archive.stem}" if archive else f"library {library.resolve().name}"
        show_figures(figures, Subject(corpus, judge, source, seed, choose_device(device)))
    reports: dict[str, Report] = {}
    with progress(len(systems), "evaluate") as step:
        for name, scorer in systems.items():
            reports[name] = evaluate(corpus, scorer, galleries, seed)
            step(name)
    rules = blind_rules(corpus, seed)
    facts |= {"videos": len(corpus), "galleries": galleries, "seed": seed, "protocol": "corrected"}
    if as_json:
        systems_json = {name: asdict(report) for name, report in reports.items()}
        rules_json = {name: {"localization": of_each(asdict, rule)} for name, rule in rules.items()}
        print_json(facts | {"systems": systems_json, "rules": rules_json})
        return
    out.print(_retrieval_table(reports))
    out.print(_localization_table({n: r.localization for n, r in reports.items()} | rules))
    out.print(facts)
    if facts["trained_on"]:
        out.print(
            f"The model was trained on {facts['trained_on']} of these {len(corpus)} videos. On those, the figures show "
            "what it learnt by heart, not how well it finds new footage."
        )


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
        facts |= {"trained_on": checkpoint.trained_on(corpus.video_ids)}
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
    facts |= {"trained_on": checkpoint.trained_on(corpus.video_ids)}
    return corpus, checkpoint, _systems(checkpoint, corpus, features.corpus("train"), seed, device), facts


def _systems(
    checkpoint: Checkpoint, corpus: Corpus, train: Corpus | None, seed: int, device: DeviceName
) -> dict[str, Scorer]:
    from model.judging.scorers import Correlation, LatentScorer, RandomScorer, untrained

    chosen = choose_device(device)
    systems: dict[str, Scorer] = {
        "random_ranking": RandomScorer(seed),
        "random_init": LatentScorer.of_checkpoint(untrained(checkpoint, seed), corpus, chosen),
    }
    if train is not None:
        systems["linear_cca"] = Correlation.fit(train)(corpus)
    return systems | {"echolens": LatentScorer.of_checkpoint(checkpoint, corpus, chosen)}


def _retrieval_table(reports: dict[str, Report]) -> Table:
    table = _table("MRR [95 %]", ["A-A", "A-V", "V-A", "V-V"])
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
    return f"{_short(interval.mean)} [{_short(interval.low)} {_short(interval.high)}]"


def _short(share: float | None) -> str:
    return f"{share:.2f}".removeprefix("0")
