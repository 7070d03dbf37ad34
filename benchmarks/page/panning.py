"""How many frames a second does the map of 20,000 points pan and zoom at? Measured in Chromium.

    python -m benchmarks.page.panning --library data [--points 20000] [--json OUT]

The page is that of a service on this machine; its answer to GET /latents/map is replaced by one of points that are
drawn by lot, all in view. Panning is a drag with the pointer, zooming is the wheel, a step in each frame.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from benchmarks.page.browser import DESKTOP, chromium
from benchmarks.report import json_parser, tell
from benchmarks.service.live_service import Service, end_tidily

GOAL_PER_S = 30.0
CLUSTERS = 12
# Moves in each frame for two seconds, and returns how many frames were drawn in a second.
PAN = """
async () => {
  const canvas = document.querySelector('canvas.plane');
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const send = (Kind, type, more) => canvas.dispatchEvent(new Kind(type, { bubbles: true, cancelable: true, ...more }));
  canvas.setPointerCapture = () => {};
  const at = (i) => ({ pointerId: 1, clientX: left + width / 2 + 80 * Math.sin(i / 9), clientY: top + height / 2 + i });
  const frames = async (step) => {
    const began = performance.now();
    let count = 0;
    while (performance.now() - began < 2000) {
      await new Promise(requestAnimationFrame);
      step(count++);
    }
    return (1000 * count) / (performance.now() - began);
  };
  send(PointerEvent, 'pointerdown', at(0));
  const pan = await frames((i) => send(PointerEvent, 'pointermove', at(i)));
  send(PointerEvent, 'pointerup', at(0));
  const middle = { clientX: left + width / 2, clientY: top + height / 2 };
  const zoom = await frames((i) => send(WheelEvent, 'wheel', { ...middle, deltaY: 20 * Math.cos(i / 20) }));
  return { pan, zoom };
}
"""


def answer_of(points: int) -> dict[str, Any]:
    """Return an answer of GET /latents/map with points in clusters."""
    random = np.random.default_rng(0)
    cluster = random.integers(0, CLUSTERS, points)
    x, y = np.round(30 * random.standard_normal((2, CLUSTERS))[:, cluster] + 8 * random.standard_normal((2, points)), 2)
    number = list(range(points))
    return {
        "points": {
            "segment_id": number,
            "video": [n % 100 for n in number],
            "start_s": [n // 100 for n in number],
            "x": x.tolist(),
            "y": y.tolist(),
            "cluster": cluster.tolist(),
        },
        "sounds": points // 2,
        "videos": [{"video_id": f"{n:016x}", "file_name": f"{n}.mp4", "label": None} for n in range(100)],
        "clusters": [],
        "cluster_count": CLUSTERS,
        "total": points,
        "sampled": False,
        "joined": 0,
    }


def measure(page: Page, url: str, points: int) -> dict[str, float]:
    """Return the frames a second of panning and of zooming."""
    page.route("**/latents/map*", lambda route: route.fulfill(json=answer_of(points)))
    page.goto(f"{url}#/map")
    page.locator("canvas.plane").wait_for()
    page.wait_for_timeout(500)
    return {name: round(float(rate), 1) for name, rate in page.evaluate(PAN).items()}


def main(arguments: Namespace) -> None:
    """Serve the library, measure, and print figure beside goal. SystemExit 1 where it is missed."""
    end_tidily()
    with Service(arguments.library) as service, chromium() as browser:
        page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        rates = measure(page, f"http://127.0.0.1:{service.port}/", arguments.points)
    tell({"points": arguments.points, "frames_per_s": rates, "goal_per_s": GOAL_PER_S}, arguments.json)
    raise SystemExit(min(rates.values()) < GOAL_PER_S)


if __name__ == "__main__":
    parser = json_parser(__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--points", type=int, default=20_000)
    main(parser.parse_args())
