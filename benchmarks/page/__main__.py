"""How fast is the page? Measured in Chromium against a service on this machine, each figure beside its goal.

    python -m benchmarks.page --library data [--runs 5] [--json OUT]

The library is served as it is, and not changed. Medians of --runs:
- first_paint_ms: from the request for the page until its first content is painted, in a new browser profile
- page_bytes: all that the page loads in all of its views but media, uncompressed
- hits_ms: from the end of the service's answer until the hits are painted, without their pictures
- pictures_ms: the same until all pictures in view are there
"""

from __future__ import annotations

import statistics
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.page.browser import DESKTOP, chromium
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import Service, end_tidily

VIEWS = ("#/ask", "#/localize", "#/imagine", "#/library", "#/map", "#/quality")
ASKED = "#/ask?segment={segment}&by=audio&find=visual"
SETTLED_MS = 2000
# Notes when the first hit is painted: the frame after the one in which it came into the document.
WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector('.hits .hit')) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame((now) => { window.hitsPainted = now; }));
}).observe(document, { childList: true, subtree: true });
"""
ANSWERED = "performance.getEntriesByType('resource').find((entry) => entry.name.endsWith('/retrieve')).responseEnd"
PICTURES = """
Math.max(
  ...performance.getEntriesByType("resource").filter(({ name }) => name.includes(".jpg")).map((e) => e.responseEnd),
)
"""


@dataclass(frozen=True)
class Figure:
    """Hold what was measured, beside its goal: no more than that."""

    name: str
    measured: float
    goal: float

    @property
    def met(self) -> bool:
        """Say whether the goal is met."""
        return self.measured <= self.goal


def opened(browser: Browser, url: str, script: str | None = None) -> Page:
    """Open an address in a profile of its own."""
    page = browser.new_context(
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
        bypass_csp=True,  # what waits is evaluated in the page
    ).new_page()
    if script:
        page.add_init_script(script)
    page.goto(url)
    return page


def first_paint_ms(browser: Browser, url: str) -> float:
    """Return when the first content was painted."""
    page = opened(browser, url)
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def page_bytes(browser: Browser, url: str) -> int:
    """Return the size of all that is no media and no answer of the service, over all views."""
    sizes: dict[str, int] = {}

    def note(answer: Any) -> None:
        path = answer.url.removeprefix(url).partition("?")[0].partition("#")[0]
        if answer.status == 200 and (not path or path.startswith("page/")):
            sizes[path] = len(answer.body())

    page = browser.new_context().new_page()
    page.on("response", note)
    for place in VIEWS:
        page.goto(url + place)
        page.wait_for_timeout(SETTLED_MS)
    return sum(sizes.values())


def hits_ms(browser: Browser, url: str) -> tuple[float, float]:
    """Return how long after the answer the hits were painted, and all pictures in view were there."""
    page = opened(browser, url, WATCH)
    page.wait_for_function("window.hitsPainted")
    page.wait_for_load_state("networkidle")
    answered = float(page.evaluate(ANSWERED))
    return float(page.evaluate("window.hitsPainted")) - answered, float(page.evaluate(PICTURES)) - answered


def measure(browser: Browser, url: str, segment: int, runs: int) -> list[Figure]:
    """Return all figures."""

    def median(measured: Callable[[], float]) -> float:
        return round(statistics.median(measured() for _ in range(runs)), 1)

    asked = url + ASKED.format(segment=segment)
    found = [hits_ms(browser, asked) for _ in range(runs)]
    return [
        Figure("first_paint_ms", median(lambda: first_paint_ms(browser, url)), 1000),
        Figure("page_bytes", page_bytes(browser, url), 300_000),
        Figure("hits_ms", round(statistics.median(hits for hits, _ in found), 1), 150),
        Figure("pictures_ms", round(statistics.median(pictures for _, pictures in found), 1), 1000),
    ]


def main(arguments: Namespace) -> None:
    """Serve the library, measure, and print figure beside goal. SystemExit 1 where a goal is missed."""
    end_tidily()
    with Service(arguments.library) as service, chromium() as browser:
        client = service.client()
        video = next(iter(client.videos(limit=1)))
        segment = client.second(video.video_id, int(video.duration_s) // 2).segment_id
        figures = measure(browser, f"http://127.0.0.1:{service.port}/", segment, arguments.runs)
    tell([asdict(figure) | {"met": figure.met} for figure in figures], arguments.json)
    if not all(figure.met for figure in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    main(parser.parse_args())
