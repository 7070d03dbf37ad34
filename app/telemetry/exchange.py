"""The request that is being answered, known wherever its answer is made and its log is written."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass
class Exchange:
    """Collect what is known of one request: its id, and the code of the problem it is answered with, if any."""

    request_id: str
    problem_code: str | None = None


CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def new_request_id(given: str | None = None) -> str:
    """Return an id that ties an answer to the lines of the log: the client's own where it is a plain word."""
    return given if given and ACCEPTED_ID.fullmatch(given) else f"{random.getrandbits(48):012x}"


def current_request_id() -> str:
    """Return the id of the request at hand; outside of one, a new id."""
    exchange = CURRENT.get()
    return new_request_id() if exchange is None else exchange.request_id


def note_problem(code: str) -> None:
    """Remember the code that the request at hand is answered with."""
    if (exchange := CURRENT.get()) is not None:
        exchange.problem_code = code
