"""Does the list of 10,000 recordings scroll without a stall? Measured in Chromium, by its wheel.

    python -m benchmarks.page.scrolling --library data [--rows 10000] [--json OUT]

The page is that of a service on this machine; its answers to GET /videos are replaced by pages of as many recordings,
each with a poster of its own. The wheel turns from the first row to the last, a step of most of a screen each time.

- longest_frame_ms: the longest time between two frames meanwhile
- frames_per_s: of the whole way
- rows_in_document: the most at a time
- requests: pages of the list and posters that were asked for on the way
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

from benchmarks.page.browser import DESKTOP, chromium
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import Client, Service, end_tidily

GOAL_MS = 100.0
STEP_PX = 800
PAGE = 500
POSTER = re.compile(r"/poster\.jpg")
NOTE_FRAMES = """
() => {
  window.frames_ms = [];
  window.mostRows = 0;
  let last = performance.now();
  const note = (now) => {
    window.frames_ms.push(now - last);
    window.mostRows = Math.max(window.mostRows, document.querySelectorAll('.rows > li').length);
    last = now;
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
}
"""
IS_AT_END = "scrollY + innerHeight >= document.documentElement.scrollHeight - 2"


def answers_of(one: dict[str, Any], rows: int) -> Callable[[Route], None]:
    """Return what answers GET /videos with pages of as many recordings, each like `one`."""

    def answer(route: Route) -> None:
        first = int(parse_qs(urlsplit(route.request.url).query).get("cursor", ["0"])[0])
        numbers = range(first, min(rows, first + PAGE))
        videos = [
            one | {"video_id": f"{n:016x}", "file_name": f"{n}.mp4", "poster": f"videos/{n:016x}/poster.jpg"}
            for n in numbers
        ]
        following = str(numbers.stop) if numbers.stop < rows else None
        route.fulfill(json={"videos": videos, "total": rows, "next": following, "catalogue_version": 1})

    return answer


def measure(page: Page, client: Client, url: str, rows: int) -> dict[str, float]:
    """Turn the wheel from the first row to the last, and return the figures."""
    one = client.http.get("/videos?limit=1").json()["videos"][0]
    poster = client.http.get(f"/videos/{one['video_id']}/poster.jpg").content
    requests = []
    page.route(re.compile(r"/videos\?"), answers_of(one, rows))
    page.route(POSTER, lambda route: route.fulfill(body=poster, content_type="image/jpeg"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{url}#/library")
    page.locator(".rows li").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.mouse.move(DESKTOP[0] * 0.7, DESKTOP[1] * 0.6)
    requests.clear()
    page.evaluate(NOTE_FRAMES)
    while not page.evaluate(IS_AT_END):
        page.mouse.wheel(0, STEP_PX)
    page.locator(".rows li", has_text=f"{rows - 1}.mp4").wait_for()
    frames_ms = page.evaluate("window.frames_ms")
    return {
        "longest_frame_ms": round(max(frames_ms), 1),
        "frames_per_s": round(1000 * len(frames_ms) / sum(frames_ms), 1),
        "rows_in_document": page.evaluate("window.mostRows"),
        "requests": len(requests),
    }


def main(arguments: Namespace) -> None:
    """Serve the library, measure, and print figure beside goal. SystemExit 1 where it is missed."""
    end_tidily()
    with Service(arguments.library) as service, chromium() as browser, service.client() as client:
        page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        found = measure(page, client, f"http://127.0.0.1:{service.port}/", arguments.rows)
    tell({"rows": arguments.rows, **found, "longest_frame_goal_ms": GOAL_MS}, arguments.json)
    raise SystemExit(found["longest_frame_ms"] > GOAL_MS)


if __name__ == "__main__":
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=10_000)
    main(parser.parse_args())
