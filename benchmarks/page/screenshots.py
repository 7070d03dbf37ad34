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

from benchmarks.page.browser import DESKTOP, PHONE, chromium
from benchmarks.service.live_service import Client, Service, end_tidily

SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLED_MS = 1500
MOST_WAIT_MS = 120_000
MOST_TRIED = 60  # videos, for an example
QUALITY = 75  # percent, of JPEG
SHOWN = {  # what is there once a view has its answer
    "start": ("#/ask", ".cards .shot img"),
    "ask": ("#/ask?segment={segment}&by=audio&find=visual", ".hits .hit"),
    "localize": ("#/localize?video={video}", ".matrix"),
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
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page: Page = context.new_page()
    page.goto(url + place)
    page.locator(there).first.wait_for(timeout=MOST_WAIT_MS)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    context.close()


def _example(client: Client) -> tuple[str, int]:
    """Return a video and a second of it whose sound finds good matches; the first video where none does."""
    videos = [one for one in client.videos() if one.has_sound and one.has_picture][:MOST_TRIED]
    examples = [
        (video.video_id, client.second(video.video_id, int(video.event_start_s or 0) + 1).segment_id)
        for video in videos
    ]
    for verdict in ("strong", "fair"):
        for video_id, segment in examples:
            found = client.retrieve("visual", segment_id=segment, query_modality="audio", group_by="video")
            if found.verdict == verdict and found.hits[0].video_id != video_id:
                return video_id, segment
    return examples[0]


def main(arguments: Namespace) -> None:
    """Serve the library and take all pictures."""
    end_tidily()
    arguments.into.mkdir(parents=True, exist_ok=True)
    with Service(arguments.library) as service, chromium() as browser:
        client = service.client()
        video, segment = _example(client)
        for view, (place, there) in SHOWN.items():
            asked = place.format(segment=segment, video=video)
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
