"""echolens train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import LIBRARY_DEFAULT, ClusterOption, JsonOption, LibraryOption, SeedOption
from app.commands.terminal import opened, out, print_json, progress, warn
from model.network.device import DeviceName, choose_device

if TYPE_CHECKING:
    import torch

    from model.data.corpus import Corpus
    from model.frontends.prior import Prior
    from model.training.plan import Trained
    from model.training.recipe import Recipe
    from model.training.run import Epoch

FEW_HELD_OUT = 8
FEW_WORKERS = 2
Group = tuple[str, int]  # the address of a cluster, and how many of its processes train together
TRAINING_DEVICE = typer.Option(
    "--device",
    envvar=["ECHOLENS_TRAINING_DEVICE", "ECHOLENS_DEVICE"],
    help="auto uses CUDA if there is a CUDA device",
)


def train_command(
    library: LibraryOption = LIBRARY_DEFAULT,
    archive: Annotated[
        Path | None, typer.Option(exists=True, help="train on a feature archive instead of a library")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--out", help="where to write the checkpoint; a library then keeps its model"),
    ] = None,
    recipe: Annotated[str, typer.Option(help="training recipe: default or published")] = "default",
    resume: Annotated[Path | None, typer.Option(help="keep the run's state here, and go on from it")] = None,
    seed: SeedOption = 0,
    ray: ClusterOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="how many processes of the Ray cluster train together; else 2")
    ] = None,
    device: Annotated[DeviceName, TRAINING_DEVICE] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train a model on footage, without labels. The library uses it if it is better on held-out videos."""
    if workers is not None and ray is None:
        raise typer.BadParameter(f"--workers {workers} given without --ray: name the cluster on which they are to be")
    from model.training.recipe import recipe_named

    chosen, group = recipe_named(recipe), None if ray is None else (ray, workers or FEW_WORKERS)
    if archive:
        report = _train_archive(archive, save or archive_model(library, archive), chosen, resume, seed, device, group)
    else:
        report = _train_library(library, save, chosen, resume, seed, device, group)
    if as_json:
        print_json(report)
    else:
        _tell(report)


def _tell(report: dict[str, Any]) -> None:
    found = report["validation"]
    out.print(
        f"Trained on {report['pairs']} seconds of {report['videos']} videos. A held-out second finds its own video "
        f"among {found['videos']} with an MRR of {found['mrr']:.2f}; chance is {found['chance']:.2f}."
    )
    if found["videos"] < FEW_HELD_OUT:
        out.print("So few videos say little about quality: add more footage.")
    if "adopted" in report:
        out.print(
            "The library now uses the new model."
            if report["adopted"]
            else "The new model is no better than the current one, so the library keeps the current one."
        )
    for modality, facts in report["posterior"].items():
        out.print(
            f"{modality}: {facts['active_units']} of {facts['of']} latent units active, KL {facts['kl_nats']:.0f} nats"
        )


def archive_model(library: Path, archive: Path) -> Path:
    """Return where the model of an archive lies by default."""
    return library / "checkpoints" / f"archive-{archive.stem}"


def _train_archive(
    path: Path, save: Path, recipe: Recipe, resume: Path | None, seed: int, device: DeviceName, group: Group | None
) -> dict[str, Any]:
    from model.data.archive import load_archive

    features = load_archive(path)
    validation = features.corpus("val") if "val" in features.split else None
    work = (features.corpus("train"), recipe, ("archive", features.identity), seed)
    if group is None:
        trained = _train_here(*work, choose_device(device), validation, resume)
    else:
        trained = _train_together(group, save.parent, *work, validation, resume)
    return _finish(trained, save)


def _train_library(
    library: Path,
    save: Path | None,
    recipe: Recipe,
    resume: Path | None,
    seed: int,
    device: DeviceName,
    group: Group | None,
) -> dict[str, Any]:
    from app.library.adoption import adopt
    from app.library.features import corpus_of, footage_front_end

    with opened(library, device) as session:
        front_end = footage_front_end(session)
        videos = session.library.catalogue.stats().videos
        with progress(videos, "features") as step:
            corpus = corpus_of(session, lambda _: step(), front_end=front_end)
        work = (corpus, recipe, (front_end.name, front_end.identity), seed)
        if group is None:
            trained = _train_here(*work, session.device, None, resume, front_end.prior)
        else:
            trained = _train_together(group, session.library.cache, *work, None, resume, front_end.prior)
        report = _finish(trained, save)
        if save is None:
            with progress(videos, "encode") as step:
                report |= asdict(adopt(session, trained, step))
    return report


def _train_here(
    corpus: Corpus,
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    device: torch.device,
    validation: Corpus | None,
    resume: Path | None,
    prior: Prior | None = None,
) -> Trained:
    from model.training.plan import train

    with _epochs() as show:  # how many there will be is not known: by folds, with a teacher, or until no better figure
        return train(
            corpus,
            recipe,
            front_end,
            seed,
            device,
            validation=validation,
            state_path=resume,
            progress=show,
            prior=prior,
            warned=_warn,
            retried=_warn,
        )


def _train_together(
    group: Group,
    notes: Path,
    corpus: Corpus,
    recipe: Recipe,
    front_end: tuple[str, str],
    seed: int,
    validation: Corpus | None,
    resume: Path | None,
    prior: Prior | None = None,
) -> Trained:
    from app.processes.cluster import joined
    from model.training.plan import few_videos

    if few := few_videos(corpus, validation, prior):
        _warn(few)
    address, workers = group
    with joined(address), progress(None, f"train in {workers} processes"):
        from app.library.cluster_training import train_together

        return train_together(workers, notes, corpus, recipe, front_end, seed, validation, resume, prior)


def _warn(of_what: str) -> None:
    warn([of_what])


@contextmanager
def _epochs() -> Iterator[Callable[[Epoch], None]]:
    with progress(None, "train") as step:

        def show(epoch: Epoch) -> None:
            step(f"loss {epoch.terms['loss']:.3f}  held-out MRR {epoch.best_mrr:.3f}")

        yield show


def _finish(trained: Trained, save: Path | None) -> dict[str, Any]:
    from app.library.adoption import report_of

    warn(trained.warnings)
    if save:
        trained.checkpoint.save(save)
    return report_of(trained) | {"checkpoint": str(save) if save else None}
