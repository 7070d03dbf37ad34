"""Security headers: they keep browsers from running files of the library, or showing them inside other sites."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "Content-Security-Policy"
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    POLICY: "default-src 'none'; frame-ancestors 'none'",  # for data; the page and the originals set their own
}
# For a library file that is opened in a tab: it is shown or played, and nothing in it runs. It keeps its origin
# (`allow-same-origin`), since the player could not fetch the rest of the file otherwise; no script can use that.
ORIGINAL_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)

PAGE_POLICY = "; ".join(  # everything comes from the service itself, and nothing inline runs
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class SecurityHeaders:
    """Put the headers on every answer that does not set them itself."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add to the answer's head."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        foreign = Headers(scope=scope).get("origin") in self._origins

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                if not foreign:
                    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
            await send(message)

        await self._app(scope, receive, with_headers)


def is_playable(media_type: str) -> bool:
    """Say whether a browser shows or plays a file of this kind and runs nothing in it."""
    return media_type.startswith(("audio/", "video/", "image/")) and not media_type.endswith("xml")
