"""Entity tags: content that a client already has is not sent again (RFC 9110, 8.8.3)."""

from __future__ import annotations

from fastapi import Request, Response

PREVIEW = {"Cache-Control": "private, no-cache"}  # a second that is read anew keeps its id: ask each time
ORIGINAL = {"Cache-Control": "private, no-cache"}  # a file may be replaced in place: ask each time


def tag(*identity: object) -> str:
    """Return the strong entity tag of the content that the parts identify."""
    return f'"{"-".join(str(part) for part in identity)}"'


def unchanged(request: Request, etag: str, headers: dict[str, str]) -> Response | None:
    """Return 304 where the client names the tag in If-None-Match, else None."""
    given = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return Response(None, 304, headers | {"ETag": etag}) if etag in given or "*" in given else None
