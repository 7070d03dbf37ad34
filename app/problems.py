"""Errors as problem+json (RFC 9457): the one place where an error becomes a status."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.schemas.problem import ProblemAnswer
from model import errors

log = logging.getLogger("echolens")

# The nearest class in an error's ancestry decides.
STATUSES: Mapping[type[errors.EcholensError], int] = {
    errors.EmptyFile: 415,
    errors.NotAMedium: 415,
    errors.TooLarge: 413,
    errors.MediaError: 422,
    errors.QueryError: 422,
    errors.EmptyLibrary: 409,
    errors.UntrainedLibrary: 409,
    errors.NothingLabelled: 409,
    errors.LibraryBusy: 409,
    errors.NotFound: 404,
    errors.Mismatch: 503,
    errors.LibraryError: 503,
    errors.EcholensError: 500,
}
TITLES = {
    400: "Not understood",
    401: "A key is needed",
    403: "Not from here",
    404: "Not found",
    405: "Not allowed",
    409: "The library cannot answer this",
    413: "Too large",
    415: "Not a medium",
    422: "Cannot be used",
    500: "A fault of the service",
    503: "Not ready",
}


def status_of(error: errors.EcholensError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def problem(
    status: int, code: str, detail: str, request_id: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Write an error out."""
    body = ProblemAnswer(
        title=TITLES.get(status, "Error"), status=status, code=code, detail=detail, request_id=request_id
    )
    return JSONResponse(
        body.model_dump(), status, {**(headers or {}), "X-Request-ID": request_id}, "application/problem+json"
    )


def new_request_id() -> str:
    """Return an id that ties an answer to a line of the log."""
    return uuid.uuid4().hex[:12]


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem, the framework's own included."""

    @app.exception_handler(errors.EcholensError)
    async def ours(request: Request, error: errors.EcholensError) -> JSONResponse:
        status = status_of(error)
        return _answer(request, status, error.code, str(error), error if status == 500 else None)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        places = (f"{'.'.join(str(p) for p in e['loc'][1:])}: {e['msg']}" for e in error.errors())
        return _answer(request, 422, "invalid_request", "; ".join(places))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, errors.EcholensError):  # FastAPI wraps what reading a body raises
            return await ours(request, error.__cause__)
        detail = str(error.detail)
        if error.status_code in (404, 405):
            detail = f"{request.method} {request.url.path} is no route of this service; /openapi.json lists them"
        code = f"http_{error.status_code}"
        return _answer(request, error.status_code, code, detail, headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return _answer(request, 500, "internal", "an error that Echolens did not foresee; the log has it", error)


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    error: Exception | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    request_id = new_request_id()
    level = logging.ERROR if error else logging.INFO
    log.log(
        level,
        "%s %s -> %s %s [%s]",
        request.method,
        request.url.path,
        status,
        code,
        request_id,
        exc_info=error,
    )
    return problem(status, code, detail, request_id, headers)
