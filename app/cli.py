"""The command line."""

from __future__ import annotations

import atexit
import gc
import logging
from importlib.metadata import version
from typing import Annotated

import typer

from app.commands import (
    benchmark,
    dataset,
    demo,
    evaluate,
    frontends,
    generate,
    ingest,
    keys,
    library,
    localize,
    mcp,
    openapi,
    retrieve,
    serve,
    terminal,
    train,
    videos,
    watch,
)
from app.commands.examples import examples
from model.errors import EcholensError
from model.network.device import device_failure

HELP = """Search pictures by sound and sounds by picture, in footage that nobody has labelled.

Footage is kept in a library: a directory, named by --library or the variable ECHOLENS_DATA (default: data).
"""
# What torch and others load is no garbage. Looking for garbage in it, meanwhile and at exit, would take 0.7 s.
GARBAGE = 50_000
FOOTAGE, QUESTIONS, MODELS, SERVICE = "Footage", "Questions", "Models", "Service and upkeep"


def command_line() -> typer.Typer:
    """Return the command line."""
    cli = typer.Typer(
        name="echolens",
        help=HELP,
        epilog=examples(""),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        callback=_options,
    )
    cli.command("demo", rich_help_panel=FOOTAGE, epilog=examples("demo"))(demo.demo)
    cli.command("ingest", rich_help_panel=FOOTAGE, epilog=examples("ingest"))(ingest.ingest_command)
    cli.command("watch", rich_help_panel=FOOTAGE, epilog=examples("watch"))(watch.watch_command)
    cli.command("dataset", rich_help_panel=FOOTAGE, epilog=examples("dataset"))(dataset.dataset_command)
    cli.add_typer(videos.app, name="videos", rich_help_panel=FOOTAGE)
    cli.command("retrieve", rich_help_panel=QUESTIONS, epilog=examples("retrieve"))(retrieve.retrieve_command)
    cli.command("localize", rich_help_panel=QUESTIONS, epilog=examples("localize"))(localize.localize_command)
    cli.command("generate", rich_help_panel=QUESTIONS, epilog=examples("generate"))(generate.generate_command)
    cli.command("train", rich_help_panel=MODELS, epilog=examples("train"))(train.train_command)
    cli.command("evaluate", rich_help_panel=MODELS, epilog=examples("evaluate"))(evaluate.evaluate_command)
    cli.command("benchmark", rich_help_panel=MODELS, epilog=examples("benchmark"))(benchmark.benchmark_command)
    cli.add_typer(frontends.app, name="frontends", rich_help_panel=MODELS)
    cli.command("serve", rich_help_panel=SERVICE, epilog=examples("serve"))(serve.serve)
    cli.command("mcp", rich_help_panel=SERVICE, epilog=examples("mcp"))(mcp.mcp_command)
    cli.command("openapi", rich_help_panel=SERVICE, epilog=examples("openapi"))(openapi.openapi)
    cli.add_typer(keys.app, name="keys", rich_help_panel=SERVICE)
    cli.add_typer(library.app, name="library", rich_help_panel=SERVICE)
    return cli


def main() -> None:
    """Run the command line; errors that Echolens raises on purpose end it with a message and a code."""
    logging.basicConfig(format="%(message)s", handlers=[terminal.LogHandler()])
    gc.set_threshold(GARBAGE)
    atexit.register(gc.freeze)
    try:
        command_line()()
    except EcholensError as error:
        raise SystemExit(terminal.fail(error).exit_code) from None
    except RuntimeError as error:
        if (failure := device_failure(error)) is None:
            raise
        raise SystemExit(terminal.fail(failure).exit_code) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version("echolens"))
        raise typer.Exit


def _options(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="print the version and end")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


if __name__ == "__main__":
    main()
