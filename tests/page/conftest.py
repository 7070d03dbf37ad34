"""The page in a real browser: Debian's Chromium, a real service, and what must hold whatever a test does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_samples import MOST_WAIT_MS, OpenPage, Watched, client_of
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from benchmarks.service.live_service import Client, Service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MEDIA = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with a reason, where there is no browser."""
    here = Path(__file__).parent
    for item in items:
        if CHROMIUM is None and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="no Chromium (Debian's package chromium)"))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Drive browsers; ended with this package, since its event loop is in the way of others in the same thread."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Run one Chromium for all tests; it has a microphone and a camera that show a test picture."""
    expect.set_options(timeout=MOST_WAIT_MS)
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *MEDIA])
    yield chromium
    chromium.close()


@pytest.fixture(scope="package")
def live(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a copy of the small library; return its address, such as http://127.0.0.1:1234/."""
    library = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("page"), dirs_exist_ok=True))
    with Service(library) as service:
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture(scope="module")
def client(live: str) -> Iterator[Client]:
    """Return a client of the service that the pages come from."""
    with client_of(live) as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    """Serve a library without footage; asked for before `open_page`, whose pages are then closed first."""
    with Service(tmp_path / "empty") as service:
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture
def watched(live: str) -> Watched:
    """Return what the pages of this test did wrong so far."""
    return Watched(live)


@pytest.fixture
def open_page(browser: Browser, live: str, watched: Watched) -> Iterator[OpenPage]:
    """Return a function that opens an address of the page: open_page("#/library", phone=True, dark=True).

    At the end of the test every page has kept the rules, or the test fails.
    """
    contexts = []

    def opened(place: str = "", phone: bool = False, dark: bool = False, url: str | None = None) -> Page:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MOST_WAIT_MS)
        watched.watch(page)
        page.goto((url or live) + place)
        page.locator("main > .view > *").first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watched.problems() == []
