"""The command line."""

from __future__ import annotations

import typer

from model.errors import EcholensError


def command_line() -> typer.Typer:
    """Return the command line.

    Its commands are imported here, not above: the workers that film the demonstration import this module again,
    and need none of them.
    """
    from app.commands import (
        benchmark,
        demo,
        evaluate,
        frontends,
        generate,
        ingest,
        keys,
        library,
        localize,
        openapi,
        retrieve,
        serve,
        train,
    )

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
    cli.command("generate")(generate.generate_command)
    cli.command("train")(train.train_command)
    cli.command("evaluate")(evaluate.evaluate_command)
    cli.command("benchmark")(benchmark.benchmark_command)
    cli.command("demo")(demo.demo)
    cli.command("openapi")(openapi.openapi)
    cli.add_typer(library.app, name="library")
    cli.add_typer(keys.app, name="keys")
    cli.add_typer(frontends.app, name="frontends")
    return cli


def main() -> None:
    """Run the command line; errors that Echolens raises on purpose end it with a message and a code."""
    try:
        command_line()()
    except EcholensError as error:
        from app.commands.terminal import fail

        raise SystemExit(fail(error).exit_code) from None


if __name__ == "__main__":
    main()
