"""Pictures of every view of the page, at the size of a desktop and of a phone, light and dark.

    python -m benchmarks.page.screenshots --library data --into docs/page

The library is served as it is, and not changed; what of it is seen is in the pictures, so let it be one of generated
clips. Files are named VIEW-SIZE-SCHEME.jpg.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from app.schemas.videos import VideoAnswer
from benchmarks.page.browser import DESKTOP, PHONE, chromium
from benchmarks.service.live_service import Client, Service, end_tidily

SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLED_MS = 1500
MOST_WAIT_MS = 120_000
MOST_TRIED = 60  # videos, for an example
SCENE_S = 3
QUALITY = 75  # percent, of JPEG
SHOWN = {  # what is there once a view has its answer
    "start": ("#/ask", ".cards .shot img"),
    "ask": ("#/ask?segment={segment}&by=audio&find=visual", ".hits .hit"),
    "localize": ("#/localize?video={video}&start={start_s}&length={length_s}", ".matrix"),
    "imagine": ("#/imagine?segment={segment}", "figcaption"),
    "library": ("#/library", ".rows .video"),
    "map": ("#/map", "canvas.plane"),
    "quality": ("#/quality", ".figure"),
}


def take(
    browser: Browser, url: str, place: str, there: str, path: Path, size: str, scheme: Literal["light", "dark"]
) -> None:
    """Write a picture of a view."""
    width, height = SIZES[size]
    by_finger = size == "phone"
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=by_finger, is_mobile=by_finger
    )
    page: Page = context.new_page()
    page.goto(url + place)
    page.locator(there).first.wait_for(timeout=MOST_WAIT_MS)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    context.close()


def _example(client: Client) -> int:
    """Return a second whose sound finds good matches; the first video's where none does."""
    examples = [client.second(one.video_id, int(one.event_start_s or 0) + 1).segment_id for one in _videos(client)]
    for verdict in ("strong", "fair"):
        for segment in examples:
            found = client.retrieve("visual", segment_id=segment, query_modality="audio", group_by="video")
            if found.verdict == verdict and found.hits[0].video_id != client.segment(segment).video_id:
                return segment
    return examples[0]


def _scene(client: Client) -> tuple[str, int]:
    """Return a video and where a stretch of it begins whose sound is clearly seen there; the first where none is."""
    long_enough = [one for one in _videos(client) if one.duration_s >= SCENE_S]
    stretches = [(one.video_id, int(min(one.event_start_s or 0, one.duration_s - SCENE_S))) for one in long_enough]
    for video_id, start_s in stretches:
        found = client.localize(video_id=video_id, query_start_s=start_s, query_length_s=SCENE_S)
        if found.stands_out and found.fit in ("strong", "fair") and found.start_s == start_s:
            return video_id, start_s
    return stretches[0]


def _videos(client: Client) -> list[VideoAnswer]:
    return [one for one in client.videos() if one.has_sound and one.has_picture][:MOST_TRIED]


def main(arguments: Namespace) -> None:
    """Serve the library and take all pictures."""
    end_tidily()
    arguments.into.mkdir(parents=True, exist_ok=True)
    with Service(arguments.library) as service, chromium() as browser:
        client = service.client()
        segment, (video, start_s) = _example(client), _scene(client)
        for view, (place, there) in SHOWN.items():
            asked = place.format(segment=segment, video=video, start_s=start_s, length_s=SCENE_S)
            for size in SIZES:
                for scheme in SCHEMES:
                    path = arguments.into / f"{view}-{size}-{scheme}.jpg"
                    take(browser, f"http://127.0.0.1:{service.port}/", asked, there, path, size, scheme)
                    print(path)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    main(parser.parse_args())
