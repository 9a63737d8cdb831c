"""The page in a real browser. Few visits: a browser is slow to start."""

from __future__ import annotations

import os
from pathlib import Path

import factory
import pytest
from browser import browser, visit  # noqa: F401
from conftest import Tool
from playwright.sync_api import Browser
from test_report import HOSTILE, sweep


@pytest.fixture(scope="module")
def page_file(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    records = sweep()
    records[0]["samples"][1]["readings"]["tainted"] = [HOSTILE]
    content = factory.report(records, environment={"system": {"host": HOSTILE}})
    done = tool("report", factory.write(folder / "r.json", content), "-o", folder / "r.html")
    assert done.returncode == 0, done.stderr
    return folder / "r.html"


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (420, "light"), (420, "dark")]
)
def test_opens_quietly_and_fits(
    browser: Browser,  # noqa: F811
    page_file: Path,
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    with visit(browser, page_file, width, scheme) as found:
        page = found.page
        # Screenshots for people: VOXMARK_SCREENSHOTS names the folder.
        folder = Path(os.environ.get("VOXMARK_SCREENSHOTS", tmp_path))
        page.screenshot(path=folder / f"report-{width}-{scheme}.png", full_page=True)
        assert found.complaints == []
        assert found.requests == []
        assert found.dialogs == []
        figures = page.locator("figure[data-chart]")
        assert figures.count() >= 8
        assert page.locator("figure[data-chart] svg.marks").count() == figures.count()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for i in range(figures.count()):
            box = figures.nth(i).locator("svg.marks").bounding_box()
            assert box is not None and box["width"] <= width
            assert box["height"] > 60
        # Text of charts has the page's own colour: it can be read in both schemes.
        ink = page.evaluate("getComputedStyle(document.body).color")
        label = "getComputedStyle(document.querySelector('svg.marks text')).fill"
        assert page.evaluate(label) == ink
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 24, 28)" if scheme == "dark" else "rgb(255, 255, 255)")


def test_hostile_names_show_as_text_and_do_nothing(
    browser: Browser,  # noqa: F811
    page_file: Path,
) -> None:
    with visit(browser, page_file) as found:
        page = found.page
        assert page.locator("img").count() == 0
        assert page.get_by_text(HOSTILE).count() >= 2  # introduction and environment
        # The tooltip of a point that has the hostile text among its data.
        points = page.locator(
            "figure[data-chart=interference] .mark-symbol path[aria-label*=SCRIPT]"
        )
        assert points.count() == 1
        points.first.scroll_into_view_if_needed()
        points.first.hover(force=True)
        tooltip = page.locator("#vg-tooltip-element.visible")
        tooltip.wait_for()
        assert HOSTILE in tooltip.inner_text()
        assert page.locator("img").count() == 0
        assert found.complaints == [] and found.dialogs == [] and found.requests == []


def test_the_policy_stops_what_is_not_the_pages_own(
    browser: Browser,  # noqa: F811
    page_file: Path,
    tmp_path: Path,
) -> None:
    """Were something to slip through, it would neither run nor load: put it there and see."""
    content = page_file.read_text()
    intruder = "<img src=https://example.invalid/x onerror=alert(1)><script>alert(2)</script>"
    broken = tmp_path / "broken.html"
    broken.write_text(content.replace("<nav>", f"{intruder}<nav>"))
    with visit(browser, broken) as found:
        assert found.dialogs == []
        assert len(found.complaints) >= 2  # the browser says what it refused
        assert all("Content Security Policy" in complaint for complaint in found.complaints)
