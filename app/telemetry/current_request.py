"""The current request, for whatever answers or logs it."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

ROOT = "echolens.root"  # in the scope of a request: where its links begin
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass
class CurrentRequest:
    """Hold a request's id, the code of the problem that answers it, if any, and where links begin."""

    request_id: str
    problem_code: str | None = None
    root: str = "/"


CURRENT: ContextVar[CurrentRequest | None] = ContextVar("exchange", default=None)


def new_request_id(given: str | None = None) -> str:
    """Return an id for a request: the client's own where it is a plain word, else a random one."""
    return given if given and ACCEPTED_ID.fullmatch(given) else f"{random.getrandbits(48):012x}"


def current_request_id() -> str:
    """Return the id of the current request, or a new id outside of one."""
    exchange = CURRENT.get()
    return new_request_id() if exchange is None else exchange.request_id


def link(path: str) -> str:
    """Return a link to a path of the service, given without its first slash, for the answer to the current request."""
    exchange = CURRENT.get()
    return f"{'/' if exchange is None else exchange.root}{path}"


def note_problem(code: str) -> None:
    """Note the code that the current request is answered with."""
    if (exchange := CURRENT.get()) is not None:
        exchange.problem_code = code
