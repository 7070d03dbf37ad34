"""What is checked before a body is read: the key, and as it comes in, its size."""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import new_request_id, problem
from model.errors import TooLarge

OPEN_PATHS = ("/health/live", "/health/ready")


class Access:
    """Let a request through if it comes from here, has the key, and its body stays within bounds.

    A page of another site must not reach the service through the user's browser: it cannot change anything
    (`Sec-Fetch-Site`), and where `hosts` are given it cannot read under a name of its own (DNS rebinding).

    The key comes as `Authorization: Bearer KEY`, or as the password of HTTP Basic, which browsers ask for.
    """

    def __init__(self, app: ASGIApp, api_key: str | None, most_bytes: int, hosts: frozenset[str] | None) -> None:
        self._app, self._api_key, self._most_bytes, self._hosts = app, api_key, most_bytes, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (reason := self._foreign(scope["method"], headers)) is not None:
            await problem(403, "forbidden", reason, new_request_id())(scope, receive, send)
            return
        if self._api_key and scope["path"] not in OPEN_PATHS and not self._has_key(headers):
            answer = problem(
                401,
                "unauthorized",
                "no key or a wrong one given; send the service's key as: Authorization: Bearer KEY",
                new_request_id(),
                {"WWW-Authenticate": 'Bearer, Basic realm="echolens", charset="UTF-8"'},
            )
            await answer(scope, receive, send)
            return
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most_bytes:
            answer = problem(413, TooLarge.code, self._too_large(int(declared)), new_request_id())
            await answer(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _foreign(self, method: str, headers: Headers) -> str | None:
        """Return why a request does not come from here, if so."""
        if method not in ("GET", "HEAD") and headers.get("sec-fetch-site") == "cross-site":
            return "a page of another site sent this; send it from the service's own page, or from a program"
        host = urlsplit(f"//{headers.get('host', '')}").hostname
        if self._hosts is not None and host not in self._hosts:
            return (
                f"the host {host} given, one of {', '.join(sorted(self._hosts))} expected; ECHOLENS_HOSTS adds others"
            )
        return None

    def _has_key(self, headers: Headers) -> bool:
        assert self._api_key
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            given = _basic_password(given)
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode(), self._api_key.encode())

    def _counted(self, receive: Receive) -> Receive:
        """Count a body of undeclared length as it comes in."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most_bytes:
                raise TooLarge(self._too_large(received))
            return message

        return counted

    def _too_large(self, given: int) -> str:
        return f"a body of {given} bytes or more given, at most {self._most_bytes} expected: send a shorter piece"


def _basic_password(encoded: str) -> str:

    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
