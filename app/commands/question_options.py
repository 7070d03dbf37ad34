"""The options of a question: one for each of its fields, as the HTTP form has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from pydantic import ValidationError

from app.commands.terminal import flag
from app.queries.question import Question
from model.errors import QueryError

P = ParamSpec("P")


def takes_question(command: Callable[Concatenate[Question, P], None]) -> Callable[P, None]:
    """Give a command an option for each field of a question; it is called with the question.

    Raises QueryError where a value is out of its range.
    """

    @wraps(command)
    def with_options(*args: P.args, **kwargs: P.kwargs) -> None:
        given = {name: kwargs.pop(name) for name in Question.model_fields}
        try:
            question = Question.model_validate(given)
        except ValidationError as error:
            faults = (f"{e['loc'][0]}={e['input']} given: {e['msg']}" for e in error.errors())
            raise QueryError("; ".join(faults)) from None
        command(question, *args, **kwargs)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    with_options.__signature__ = inspect.Signature([*own, *_options()])  # type: ignore[attr-defined]
    with_options.__annotations__ = {}  # the signature has them all
    return with_options


def _options() -> list[inspect.Parameter]:
    options = []
    for name, field in Question.model_fields.items():
        option: Any = typer.Option(flag(name), help=field.description)
        options.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.is_required() else field.default,
                annotation=Annotated[field.annotation, option],
            )
        )
    return options
