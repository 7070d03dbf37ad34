"""A proxy may show the service below a path, such as /lens/: requests find their routes, and links lead back there."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.current_request import ROOT

HEADER = "x-forwarded-prefix"
SEGMENT = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)"
PREFIX = re.compile(rf"{SEGMENT}*", re.ASCII)
WHOLE = re.compile(r"https?://[^/?#]*/*")


def plain_prefix(given: str) -> str:
    """Return a prefix without its last slash: "/lens" of "/lens/", "" of "/". Raises ValueError for what is none."""
    prefix = given.strip().removesuffix("/")
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"the path prefix {given!r} given, one such as /lens expected, or / for none")
    return prefix


class PathPrefix:
    """Take the prefix off a request's path, where the proxy left it there, and note where links begin.

    The prefix is that of X-Forwarded-Prefix, else the given one. Where neither says it, links are relative to the
    request: they are right whatever the proxy took away.
    """

    def __init__(self, app: ASGIApp, prefix: str | None = None) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the path that the routes know."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        prefix, path = _forwarded(scope), scope["path"]
        prefix = self._prefix if prefix is None else prefix
        if prefix and path == prefix:  # the page's own links would begin one step too high
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{prefix}/{'?' * bool(query)}{query}", 308)(scope, receive, send)
            return
        inside = dict(scope)
        if prefix and path.startswith(f"{prefix}/"):
            inside |= {"path": path[len(prefix) :], "raw_path": _raw(scope)[len(prefix) :]}
        root = _upwards(inside) if prefix is None else f"{prefix}/"
        inside[ROOT] = root

        async def with_links(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if whole := WHOLE.match(location := headers.get("location", "")):  # the framework's own, to a path
                    headers["location"] = root + location[whole.end() :]
            await send(message)

        await self._app(inside, receive, with_links)


def _forwarded(scope: Scope) -> str | None:
    """Return the prefix that proxies say, the outermost first; None where none does, or what it says is none."""
    given = Headers(scope=scope).getlist(HEADER)
    if not given:
        return None
    try:
        return "".join(plain_prefix(part) for part in ",".join(given).split(","))
    except ValueError:
        return None


def _raw(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw


def _upwards(scope: Scope) -> str:
    """Return the way from a request's path to that of the page."""
    return "../" * (_raw(scope).count(b"/") - 1)
