"""echolens train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.terminal import (
    LIBRARY_DEFAULT,
    DeviceOption,
    JsonOption,
    LibraryOption,
    SeedOption,
    err,
    opened,
    out,
    print_json,
    progress,
)
from app.library.adoption import adopt, report_of
from app.library.features import corpus_of
from model.data.archive import load_archive
from model.network.device import DeviceName, choose_device
from model.training.plan import Trained, train
from model.training.recipe import Recipe, recipe_named
from model.training.run import Epoch

FEW_HELD_OUT = 8


def train_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    archive: Annotated[Path | None, typer.Option(help="train on a feature archive instead of a library")] = None,
    save: Annotated[
        Path | None,
        typer.Option("--out", help="where the checkpoint goes; of an archive to LIBRARY/checkpoints else"),
    ] = None,
    recipe: Annotated[str, typer.Option(help="default or published")] = "default",
    resume: Annotated[Path | None, typer.Option(help="keep the run's state here, go on from it")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Learn from footage without labels; a library takes the new model if it is better on held-out videos."""
    chosen = recipe_named(recipe)
    if archive:
        report = _train_archive(archive, save or archive_model(library, archive), chosen, resume, seed, device)
    else:
        report = _train_library(library, save, chosen, resume, seed, device)
    if as_json:
        print_json(report)
    else:
        _tell(report)


def _tell(report: dict[str, Any]) -> None:
    found = report["validation"]
    out.print(
        f"Learnt from {report['pairs']} seconds of {report['videos']} videos. A held-out second finds its own video "
        f"among {found['videos']} with an MRR of {found['mrr']:.2f}; by chance {found['chance']:.2f}."
    )
    if found["videos"] < FEW_HELD_OUT:
        out.print("That is little to judge by: with more footage the figure will mean more.")
    if "adopted" in report:
        kept = (
            "The library now answers with it."
            if report["adopted"]
            else "It is no better than the one that serves: kept."
        )
        out.print(kept)
    for modality, facts in report["posterior"].items():
        out.print(
            f"{modality}: {facts['active_units']} of {facts['of']} latent units active, KL {facts['kl_nats']:.0f} nats"
        )


def archive_model(library: Path, archive: Path) -> Path:
    """Return where the model of an archive lies if nobody says otherwise."""
    return library / "checkpoints" / f"archive-{archive.stem}"


def _train_archive(
    path: Path, save: Path, recipe: Recipe, resume: Path | None, seed: int, device: DeviceName
) -> dict[str, Any]:
    features = load_archive(path)
    with _epochs(None) as show:  # a teacher, or no better figure, may end it earlier
        trained = train(
            features.corpus("train"),
            recipe,
            ("archive", features.identity),
            seed,
            choose_device(device),
            features.corpus("val"),
            resume,
            show,
        )
    return _finish(trained, save)


def _train_library(
    library: Path, save: Path | None, recipe: Recipe, resume: Path | None, seed: int, device: DeviceName
) -> dict[str, Any]:
    with opened(library, device) as session:
        videos = session.library.catalogue.stats().videos
        with progress(videos, "features") as step:
            corpus = corpus_of(session, lambda _: step())
        with _epochs(None) as show:  # small libraries are trained by folds: how many epochs there will be is not known
            front_end = (session.front_end.name, session.front_end.identity)
            trained = train(corpus, recipe, front_end, seed, session.device, None, resume, show)
        report = _finish(trained, save)
        if save is None:
            with progress(videos, "encode") as step:
                report |= asdict(adopt(session, trained, step))
    return report


@contextmanager
def _epochs(total: int | None) -> Iterator[Callable[[Epoch], None]]:
    with progress(total, "train") as step:

        def show(epoch: Epoch) -> None:
            step(f"loss {epoch.terms['loss']:.3f}  held-out MRR {epoch.best_mrr:.3f}")

        yield show


def _finish(trained: Trained, save: Path | None) -> dict[str, Any]:
    for warning in trained.warnings:
        err.print(f"[yellow]{warning}[/]")
    if save:
        trained.checkpoint.save(save)
    return report_of(trained) | {"checkpoint": str(save) if save else None}
