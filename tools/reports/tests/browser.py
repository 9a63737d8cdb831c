"""Debian's Chromium, headless, on a file from disk; what it complains of and asks for is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@dataclass
class Visit:
    page: Page
    complaints: list[str] = field(default_factory=list)  # console errors and exceptions
    requests: list[str] = field(default_factory=list)  # but for the page itself
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium; ci/test installs it")
    with sync_playwright() as playwright:
        # The sandbox needs user namespaces, which root in a container does not have.
        launched = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"], timeout=180_000
        )
        yield launched
        launched.close()


@contextmanager
def visit(
    browser: Browser, path: Path, width: int = 1280, scheme: str = "light"
) -> Iterator[Visit]:
    """The page, when all of its charts are drawn."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    found = Visit(page)
    page.set_default_timeout(180_000)
    page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
    own = path.resolve().as_uri()
    page.goto(own)
    page.wait_for_selector("html[data-charts=drawn]", state="attached")
    # Neither another file of this disk, nor anything of a network.
    found.requests = [url for url in found.requests if url != own and not url.startswith("data:")]
    yield found
    context.close()
