"""Write errors out as problem+json (RFC 9457)."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.http.error_codes import ERROR_CODES
from app.schemas.problem import ProblemAnswer
from app.telemetry.current_request import current_request_id, link, note_problem
from app.telemetry.logs import event
from index.disk import refused
from model import errors

log = logging.getLogger("echolens")

TITLES = {
    400: "Malformed request",
    401: "Key required",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not available in this form",
    408: "Too slow",
    409: "Not possible in this state",
    413: "Too large",
    415: "Unknown file format",
    416: "No such range",
    422: "Cannot be used",
    429: "Too many requests",
    499: "Client hung up",
    500: "Internal error",
    503: "Not ready",
}
NOT_CARRIED_OVER = ("content-length", "content-type", "content-encoding", "x-request-id")


def status_of(error: errors.EcholensError) -> int:
    """Return the HTTP status that the table has for an error."""
    return ERROR_CODES[error.code].statuses[0]


def problem(
    status: int,
    code: str,
    detail: str,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    error: BaseException | None = None,
) -> JSONResponse:
    """Return an error as an answer, and log it; `request_id` defaults to that of the current request."""
    request_id = request_id or current_request_id()
    note_problem(code)
    _log(status, code, detail, error)
    body = _written(status, code, detail, request_id)
    return JSONResponse(
        body.model_dump(), status, {**(headers or {}), "X-Request-ID": request_id}, "application/problem+json"
    )


def problem_of(error: errors.EcholensError) -> ProblemAnswer:
    """Return the problem of one item of a request whose other items are answered, and log it."""
    status = status_of(error)
    _log(status, error.code, str(error), error)
    return _written(status, error.code, str(error), current_request_id())


def _written(status: int, code: str, detail: str, request_id: str) -> ProblemAnswer:
    return ProblemAnswer(
        type=link(f"errors#{code}"),
        title=TITLES.get(status, "Error"),
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
    )


def _log(status: int, code: str, detail: str, error: BaseException | None) -> None:
    fields: dict[str, Any] = {"code": code, "status": status, "detail": detail}
    if error is not None and error.__cause__ is not None:  # what another program said goes only to the log
        fields["cause"] = str(error.__cause__)
    level = logging.INFO if status < 500 else logging.WARNING if status == 503 else logging.ERROR
    if status == 429:  # under load, write less: the request's own line has the code
        level = logging.DEBUG
    log.log(level, "%s: %s", code, detail, exc_info=error if status == 500 else None, extra=event("problem", **fields))


def answer_of(error: errors.EcholensError) -> JSONResponse:
    """Answer an error of Echolens, with Retry-After where it has `retry_after_s`."""
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = None if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
    return problem(status_of(error), error.code, str(error), headers=headers, error=error)


def internal() -> JSONResponse:
    """Answer an unexpected error, and tell nothing about it."""
    return problem(500, "internal", "an error that Echolens did not foresee; the log has it under the request_id")


def of_status(request: Request, status: int, headers: Mapping[str, str], detail: str = "") -> JSONResponse:
    """Answer with a status that the framework chose; keep its headers, except those of the body."""
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

    `RequestLog` answers unexpected errors, and those of middlewares.
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
        if isinstance(error.__cause__, OSError):  # the disk for temporary files is full
            return answer_of(refused(Path(tempfile.gettempdir()), error.__cause__))
        return of_status(request, error.status_code, error.headers or {}, str(error.detail))


def _complaint(found: Mapping[str, Any]) -> str:
    """Name the field and what is wrong with it; never show the value that was sent."""
    if found["type"] == "json_invalid":
        return f"the body is no JSON: {found['ctx']['error']} at character {found['loc'][1]}"
    return f"{'.'.join(str(part) for part in found['loc'][1:])}: {found['msg']}"
