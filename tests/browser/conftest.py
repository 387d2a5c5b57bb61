"""The page of `sweepconv explore`, open in Chromium, loaded anew for each test.

A test fails if the page logs anything, throws, or asks for anything but itself.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from sweepconv.explore.command import explore

NAMES = (os.environ.get("SWEEPCONV_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
FLAGS = [  # it asks nobody for anything; root has no sandbox
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("explore") / "explore.html"
    return Path(explore(out=str(out), digits=3)).as_uri()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, filter(None, NAMES))), None)
    if path is None:
        pytest.exit("Chromium is missing: `make test-browser` says how to get it", 1)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def complaints() -> list[str]:
    return []


@pytest.fixture
def quiet(complaints: list[str]) -> Iterator[None]:
    complaints.clear()
    yield
    assert complaints == []


def tab(browser: Any, address: str, complaints: list[str], **options: Any) -> Any:
    """A new tab that notes what must not happen; `options` are those of Playwright's contexts."""
    page = browser.new_context(**{"viewport": DESKTOP, **options}).new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url)
            if request.url != address else None)
    return page


def load(page: Any, address: str) -> Any:
    page.goto(address)
    page.wait_for_function("() => derived !== null")
    return page


@pytest.fixture
def open_page(browser: Any, address: str, complaints: list[str], quiet: None) -> Iterator[Open]:
    """A function that opens the page on a screen of its own."""
    tabs: list[Any] = []

    def opened(**options: Any) -> Any:
        tabs.append(tab(browser, address, complaints, **options))
        return load(tabs[-1], address)

    yield opened
    for page in tabs:
        page.context.close()


@pytest.fixture(scope="session")
def common_tab(browser: Any, address: str, complaints: list[str]) -> Any:
    return tab(browser, address, complaints)


@pytest.fixture
def page(common_tab: Any, address: str, quiet: None) -> Any:
    """The page, loaded anew: it keeps nothing from one load to the next."""
    return load(common_tab, address)
