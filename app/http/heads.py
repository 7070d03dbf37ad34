"""HEAD answers like GET, without the body, wherever GET answers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.route_table import RouteTable


class Heads:
    """Ask a route by GET for HEAD, unless it has a HEAD of its own, which need not make the body."""

    def __init__(self, app: ASGIApp, routes: RouteTable) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and leave out the body."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or self._routes.has_own_head(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, without_body)
