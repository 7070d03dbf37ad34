"""What a page must never do, and what is looked for on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, Request

from benchmarks.service.live_service import Client

SERIOUS = ("serious", "critical")
MOST_WAIT_MS = 120_000
OpenPage = Callable[..., Page]


@dataclass
class Watched:
    """Note what a page must never do: errors in its console, requests elsewhere, violations of its policy.

    `allowed`: parts of messages that a test brings about, such as the status of a refused upload.
    """

    origin: str
    found: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("request", self._request)

    def problems(self) -> list[str]:
        """Return what was noted and not allowed."""
        return [text for text in self.found if not any(part in text for part in self.allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        place = urlsplit(request.url)
        if place.scheme not in ("blob", "data") and f"{place.scheme}://{place.netloc}/" != self.origin:
            self.found.append(f"request elsewhere: {request.url}")


def client_of(url: str) -> Client:
    """Return a client of the service at an address."""
    return Client(int(url.rstrip("/").rpartition(":")[2]))


def serious_findings(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical on the page as it is."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found if one["impact"] in SERIOUS for node in one["nodes"]]


def overflowing(page: Page) -> float:
    """Return by how many pixels the page is wider than the window: 0 where nothing leaves it."""
    return float(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def note_forms(page: Page) -> None:
    """Keep the form that the page sends last; what a browser tells of a request leaves out the files."""
    page.evaluate(
        """() => {
            const send = window.fetch;
            window.fetch = (path, options) => {
                const form = options?.body;
                if (form instanceof FormData) {
                    window.lastForm = Object.fromEntries([...form].map(([name, value]) => [name, value.name ?? value]));
                }
                return send(path, options);
            };
        }"""
    )


def last_form(page: Page) -> dict[str, str]:
    """Return the fields of the form that was sent last; a file as its name."""
    found: dict[str, str] = page.evaluate("window.lastForm")
    return found


def faults_on_both_sizes(page: Page) -> list[str]:
    """Return what is serious, or wider than the window, on a dark phone and on a light desktop; the page stays so."""
    found = []
    for width, height, scheme in ((390, 844, "dark"), (1280, 900, "light")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(150)  # what is drawn anew at another size
        found += [f"{scheme}, {width} px: {one}" for one in serious_findings(page)]
        if (wider := overflowing(page)) > 0:
            found.append(f"{width} px: {wider} px wider than the window")
    return found


def is_within(inner: Locator, outer: Locator) -> bool:
    """Say whether one box lies in another from left to right, to a pixel; neither may be empty."""
    box, frame = inner.bounding_box(), outer.bounding_box()
    assert box is not None
    assert frame is not None
    assert box["width"] > 1
    return frame["x"] - 1 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
