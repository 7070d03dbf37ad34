"""What each route needs and costs: declared at its endpoint, looked up before the body of a request is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from app.http.keys import KeyScope

Cost = Literal["question", "upload"]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
READING = ("GET", "HEAD")
NEEDS, FOUND = "__needs__", "echolens.route"


def needs(scope: KeyScope | Literal["open"], cost: Cost | None = None) -> Callable[[Endpoint], Endpoint]:
    """Declare the scope that an endpoint needs of a key (`open`: it needs no key), and at which gate it queues."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, NEEDS, (scope, cost))
        return endpoint

    return declare


@dataclass(frozen=True)
class Found:
    """Say which route template fits a request (None for an unknown path), what it needs and what it costs."""

    template: str | None
    scope: KeyScope | Literal["open"]
    cost: Cost | None = None


class RouteTable:
    """Find the route of a request by its path and method."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Raise TypeError for a route whose endpoint declares nothing: it would have no gate."""
        self._routes: list[tuple[re.Pattern[str], frozenset[str], Found]] = []
        self._own_heads: list[re.Pattern[str]] = []
        for route in routes:
            if not isinstance(route, Route) or not hasattr(route.endpoint, NEEDS):
                raise TypeError(f"{route!r} given, a route with @needs(SCOPE, COST) at its endpoint expected: add it")
            found = Found(route.path, *getattr(route.endpoint, NEEDS))
            methods = frozenset(route.methods or ())
            if "HEAD" in methods:
                self._own_heads.append(route.path_regex)
            elif "GET" in methods:
                methods |= {"HEAD"}  # `Heads` asks by GET for it
            self._routes.append((route.path_regex, methods, found))

    def of(self, request: Scope) -> Found:
        """Return the route of a request; it is looked up once and kept in the request's scope."""
        found: Found | None = request.get(FOUND)
        if found is None:
            found = request[FOUND] = self._find(request["path"], request["method"])
        return found

    def _find(self, path: str, method: str) -> Found:
        """Find a route; an unknown path or method needs a key too, but reading an open path never does."""
        other = None
        for regex, methods, found in self._routes:
            if regex.match(path):
                if method in methods:
                    return found
                other = other or found
        template = other.template if other else None
        if method not in READING:
            return Found(template, "admin")
        return Found(template, "open" if other and other.scope == "open" else "read")

    def allowed(self, path: str) -> list[str]:
        """Return the methods that a path answers to."""
        return sorted({method for regex, methods, _ in self._routes if regex.match(path) for method in methods})

    def has_own_head(self, path: str) -> bool:
        """Say whether a path has a route for HEAD itself."""
        return any(regex.match(path) for regex in self._own_heads)

    def methods(self) -> dict[str, set[str]]:
        """Return the methods of every template."""
        every: dict[str, set[str]] = {}
        for _, methods, found in self._routes:
            every.setdefault(found.template or "", set()).update(methods)
        return every
