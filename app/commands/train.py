"""echolens train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import LIBRARY_DEFAULT, JsonOption, LibraryOption, SeedOption
from app.commands.terminal import opened, out, print_json, progress, warn
from model.network.device import DeviceName, choose_device

if TYPE_CHECKING:
    from model.training.plan import Trained
    from model.training.recipe import Recipe
    from model.training.run import Epoch

FEW_HELD_OUT = 8
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
    device: Annotated[DeviceName, TRAINING_DEVICE] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train a model on footage, without labels. The library uses it if it is better on held-out videos."""
    from model.training.recipe import recipe_named

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
    path: Path, save: Path, recipe: Recipe, resume: Path | None, seed: int, device: DeviceName
) -> dict[str, Any]:
    from model.data.archive import load_archive
    from model.training.plan import train

    features = load_archive(path)
    with _epochs() as show:  # a teacher, or no better figure, may end it earlier
        trained = train(
            features.corpus("train"),
            recipe,
            ("archive", features.identity),
            seed,
            choose_device(device),
            features.corpus("val") if "val" in features.split else None,
            resume,
            show,
            warned=_warn,
            retried=_warn,
        )
    return _finish(trained, save)


def _train_library(
    library: Path, save: Path | None, recipe: Recipe, resume: Path | None, seed: int, device: DeviceName
) -> dict[str, Any]:
    from app.library.adoption import adopt
    from app.library.features import corpus_of, footage_front_end
    from model.training.plan import train

    with opened(library, device) as session:
        front_end = footage_front_end(session)
        videos = session.library.catalogue.stats().videos
        with progress(videos, "features") as step:
            corpus = corpus_of(session, lambda _: step(), front_end=front_end)
        with _epochs() as show:  # small libraries are trained by folds: how many epochs there will be is not known
            trained = train(
                corpus,
                recipe,
                (front_end.name, front_end.identity),
                seed,
                session.device,
                state_path=resume,
                progress=show,
                prior=front_end.prior,
                warned=_warn,
                retried=_warn,
            )
        report = _finish(trained, save)
        if save is None:
            with progress(videos, "encode") as step:
                report |= asdict(adopt(session, trained, step))
    return report


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
