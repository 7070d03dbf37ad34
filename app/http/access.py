"""Check a request before its body is read: where it comes from, its key and scope, and the size it declares."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.admission import unless_short
from app.http.key_limits import KeyLimits, Over
from app.http.keyring import Keyring
from app.http.keys import Key
from app.http.problems import problem
from app.http.route_table import READING, RouteTable
from model.errors import TooLarge


class Access:
    """Pass a request on if no other site sent it, its key allows it, and the body that it declares is small enough.

    A page of another site cannot change anything through a user's browser (`Sec-Fetch-Site`, else `Origin`), unless
    it is one of `origins`. Where `hosts` are given, it cannot read under a host name of its own (DNS rebinding).

    The key comes as `Authorization: Bearer KEY`, or as the password of HTTP Basic, which browsers ask for.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        limits: KeyLimits,
        most_bytes: int,
        routes: RouteTable,
        hosts: frozenset[str] | None = None,
        origins: tuple[str, ...] = (),
        count_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._app, self._keyring, self._limits, self._routes = app, keyring, limits, routes
        self._most_bytes, self._hosts, self._origins = most_bytes, hosts, origins
        self._count_refused = count_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # no WebSocket: no key would be checked
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        given = _given(headers)
        key = self._keyring.find(given)
        refusal = (
            self._foreign(scope["method"], headers)
            or self._locked(scope, key, is_wrong=bool(given))
            or self._too_large(headers)
        )
        if refusal is None and key is not None:
            scope.setdefault("state", {})["key"] = key  # what is known of the key, never itself
            refusal = self._over(key)
        if refusal is not None:
            refusal.headers.update(unless_short(headers))
            await refusal(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            if key is not None:
                self._limits.leave(key)

    def _foreign(self, method: str, headers: Headers) -> Response | None:
        """Refuse what a page of another site sent, and host names that are not the service's."""
        if method not in READING and not self._from_here(headers):
            return _forbidden(
                "a page of another site sent this; send it from the service's own page, or from a program, or name "
                "the page's origin in ECHOLENS_CORS_ORIGINS"
            )
        host = _host(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            return _forbidden(
                f"the host {host} given, one of {', '.join(sorted(self._hosts))} expected; ECHOLENS_HOSTS adds others"
            )
        return None

    def _from_here(self, headers: Headers) -> bool:
        """Say whether the service's own page, an allowed one or a program sent it; a program sends neither header."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self._origins:
            return True
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or origin.partition("://")[2] == headers.get("host")

    def _locked(self, scope: Scope, key: Key | None, is_wrong: bool) -> Response | None:
        """Refuse a request without a good key (401, or 429 after many wrong ones), or with too small a scope (403)."""
        needed = self._routes.of(scope).scope
        if needed == "open" or (key is None and not self._keyring.needed()):
            return None
        if key is None:
            over = self._limits.count_wrong((scope.get("client") or ("",))[0]) if is_wrong else None
            return self._limited("wrong_keys", over) if over else _unauthorized()
        if key.scope == "admin" or needed == "read":
            return None
        return problem(
            403,
            "not_allowed",
            f"a key of scope {key.scope} given, {scope['method']} {scope['path']} needs one of scope admin: ask with "
            "such a key",
        )

    def _over(self, key: Key) -> Response | None:
        """Count a request of a key, or refuse it (429)."""
        over = self._limits.enter(key)
        return self._limited("key_limit", over) if over else None

    def _limited(self, code: str, over: Over) -> Response:
        self._count_refused(code)
        detail = f"{over.detail}: ask again in {over.wait_s} s"
        return problem(429, code, detail, headers={"Retry-After": str(over.wait_s)})

    def _too_large(self, headers: Headers) -> Response | None:
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most_bytes:
            detail = f"a body of {declared} bytes given, at most {self._most_bytes} expected: send a shorter piece"
            return problem(413, TooLarge.code, detail)
        return None


def _host(given: str) -> str | None:
    try:
        return urlsplit(f"//{given}").hostname
    except ValueError:  # a bracket that is never closed
        return None


def _forbidden(detail: str) -> Response:
    return problem(403, "forbidden", detail)


def _unauthorized() -> Response:
    detail = "no key or a wrong one given; send a key of the service as: Authorization: Bearer KEY"
    answer = problem(401, "unauthorized", detail)
    # Two lines: Chromium reads one challenge a line, and does not ask for a password where Bearer comes first.
    answer.headers.append("WWW-Authenticate", 'Basic realm="echolens", charset="UTF-8"')
    answer.headers.append("WWW-Authenticate", "Bearer")
    return answer


def _given(headers: Headers) -> bytes:
    """Return the key as it was sent; empty where none was."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.encode("latin-1")  # as the bytes came in
    return _basic_password(given) if scheme.lower() == "basic" else b""


def _basic_password(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
