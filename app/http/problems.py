"""Errors as problem+json (RFC 9457): the one place where an error becomes a status."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.schemas.problem import ProblemAnswer
from app.telemetry.exchange import current_request_id, note_problem
from app.telemetry.logs import event
from index.disk import refused
from model import errors

log = logging.getLogger("echolens")

# The nearest class in an error's ancestry decides. Every code has its meaning in app/http/error_codes.py.
STATUSES: Mapping[type[errors.EcholensError], int] = {
    errors.EmptyFile: 415,
    errors.NotAMedium: 415,
    errors.TooLarge: 413,
    errors.MediaError: 422,
    errors.NotAcceptable: 406,
    errors.QueryError: 422,
    errors.EmptyLibrary: 409,
    errors.UntrainedLibrary: 409,
    errors.NothingLabelled: 409,
    errors.LibraryBusy: 409,
    errors.JobEnded: 409,
    errors.NotRetryable: 409,
    errors.TrainingRuns: 409,
    errors.QueueFull: 429,
    errors.NotAllowed: 403,
    errors.PastDeadline: 503,
    errors.WorkerFailure: 503,
    errors.SlowBody: 408,
    errors.ClientGone: 499,
    errors.NotFound: 404,
    errors.Mismatch: 503,
    errors.LibraryError: 503,
    errors.EcholensError: 500,
}
# What is answered without a class of its own: by the framework, and before a request is looked at.
SERVICE_CODES: Mapping[str, tuple[int, ...]] = {
    "unauthorized": (401,),
    "forbidden": (403,),
    "not_allowed": (403,),
    "key_limit": (429,),
    "busy": (429,),
    "invalid_request": (422,),
    "range": (400, 416),
    "http_400": (400,),
    "http_404": (404,),
    "http_405": (405,),
    "internal": (500,),
}
TITLES = {
    400: "Not understood",
    401: "A key is needed",
    403: "Not allowed from here",
    404: "Not found",
    405: "Not allowed",
    406: "Not in this form",
    408: "Too slow",
    409: "The library cannot answer this",
    413: "Too large",
    415: "Not a medium",
    416: "No such range",
    422: "Cannot be used",
    429: "Too much at once",
    499: "Nobody waits",
    500: "A fault of the service",
    503: "Not ready",
}
NOT_CARRIED_OVER = ("content-length", "content-type", "content-encoding", "x-request-id")
ROOT_PACKAGES = ("app", "model", "index")


def status_of(error: type[errors.EcholensError]) -> int:
    """Return the HTTP status of a kind of error."""
    return next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)


def every_code() -> dict[str, tuple[int, ...]]:
    """Return the codes that can be answered, with their statuses; of errors, those whose modules are loaded."""
    found: dict[str, tuple[int, ...]] = dict(SERVICE_CODES)
    for kind in _kinds(errors.EcholensError):
        found[kind.code] = tuple(sorted({*found.get(kind.code, ()), status_of(kind)}))
    return found


def _kinds(kind: type[errors.EcholensError]) -> Iterator[type[errors.EcholensError]]:
    if kind.__module__.partition(".")[0] in ROOT_PACKAGES:
        yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def problem(
    status: int,
    code: str,
    detail: str,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    error: BaseException | None = None,
) -> JSONResponse:
    """Write an error out, and down in the log; `request_id` is that of the request at hand if none is given."""
    request_id = request_id or current_request_id()
    note_problem(code)
    _log(status, code, detail, error)
    body = _written(status, code, detail, request_id)
    return JSONResponse(
        body.model_dump(), status, {**(headers or {}), "X-Request-ID": request_id}, "application/problem+json"
    )


def problem_of(error: errors.EcholensError) -> ProblemAnswer:
    """Write out the problem of one item of a request that goes on without it, and down in the log."""
    status = status_of(type(error))
    _log(status, error.code, str(error), error)
    return _written(status, error.code, str(error), current_request_id())


def _written(status: int, code: str, detail: str, request_id: str) -> ProblemAnswer:
    return ProblemAnswer(
        type=f"/errors#{code}",
        title=TITLES.get(status, "Error"),
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
    )


def _log(status: int, code: str, detail: str, error: BaseException | None) -> None:
    fields: dict[str, Any] = {"code": code, "status": status, "detail": detail}
    if error is not None and error.__cause__ is not None:  # what another program said is for the log alone
        fields["cause"] = str(error.__cause__)
    level = logging.INFO if status < 500 else logging.WARNING if status == 503 else logging.ERROR
    if status == 429:  # who is full has no time to write: the request's own line has the code
        level = logging.DEBUG
    log.log(level, "%s: %s", code, detail, exc_info=error if status == 500 else None, extra=event("problem", **fields))


def answer_of(error: errors.EcholensError) -> JSONResponse:
    """Answer an error of Echolens; one with `retry_after_s` says when to ask again."""
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = None if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
    return problem(status_of(type(error)), error.code, str(error), headers=headers, error=error)


def internal() -> JSONResponse:
    """Answer what nobody foresaw, without a word about it."""
    return problem(500, "internal", "an error that Echolens did not foresee; the log has it under the request_id")


def of_status(request: Request, status: int, headers: Mapping[str, str], detail: str = "") -> JSONResponse:
    """Answer with a status that the framework chose; its headers stay, but those of a body."""
    kept = {name: value for name, value in headers.items() if name.lower() not in NOT_CARRIED_OVER}
    given = request.headers.get("range")
    if given is not None and status in (400, 416):
        there = headers.get("content-range", "bytes */as many as there are").partition("*/")[2]
        detail = f"the range {given[:100]!r} given, bytes=FIRST-LAST expected, within the file's {there} bytes"
        return problem(status, "range", detail, headers=kept)
    if status in (404, 405):
        detail = f"{request.method} {request.url.path} is no route of this service; /openapi.json lists them"
    elif status == 400:
        detail = f"{detail or 'the body was not understood'}: send a whole body of the kind that its Content-Type names"
    elif len(detail) < 20:
        detail = f"the request was answered with {status} ({_phrase(status)}); /openapi.json says what can be asked"
    return problem(status, f"http_{status}", detail, headers=kept)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no standard status"


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem, the framework's own included.

    `RequestLog` answers what nobody foresaw, and what a middleware raises.
    """

    @app.exception_handler(errors.EcholensError)
    async def ours(request: Request, error: errors.EcholensError) -> JSONResponse:
        return answer_of(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "invalid_request", "; ".join(_complaint(e) for e in error.errors()))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, errors.EcholensError):  # FastAPI wraps what reading a body raises
            return answer_of(error.__cause__)
        if isinstance(error.__cause__, OSError):  # an upload that the disk for temporary files does not take
            return answer_of(refused(Path(tempfile.gettempdir()), error.__cause__))
        return of_status(request, error.status_code, error.headers or {}, str(error.detail))


def _complaint(found: Mapping[str, Any]) -> str:
    """Name the place of an error in a request, and what is wrong there; never what was sent."""
    if found["type"] == "json_invalid":
        return f"the body is no JSON: {found['ctx']['error']} at character {found['loc'][1]}"
    return f"{'.'.join(str(part) for part in found['loc'][1:])}: {found['msg']}"
