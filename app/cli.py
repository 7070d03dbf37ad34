"""The command line."""

from __future__ import annotations

import typer

from app.commands import demo, evaluate, frontends, ingest, library, localize, retrieve, serve, train
from app.terminal import fail
from model.errors import EcholensError

cli = typer.Typer(
    name="echolens",
    help="Search sight by sound and sound by sight in footage that nobody has labelled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.command("serve")(serve.serve)
cli.command("ingest")(ingest.ingest_command)
cli.command("retrieve")(retrieve.retrieve_command)
cli.command("localize")(localize.localize_command)
cli.command("train")(train.train_command)
cli.command("evaluate")(evaluate.evaluate_command)
cli.command("demo")(demo.demo)
cli.add_typer(library.app, name="library")
cli.add_typer(frontends.app, name="frontends")


def main() -> None:
    """Run the command line; errors that Echolens raises on purpose end it with a message and a code."""
    try:
        cli()
    except EcholensError as error:
        raise SystemExit(fail(error).exit_code) from None


if __name__ == "__main__":
    main()
