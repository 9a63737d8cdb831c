"""The page in a real browser. Few visits: a browser is slow to start."""

from __future__ import annotations

import os
from pathlib import Path

import factory
import pytest
from browser import browser, visit  # noqa: F401
from conftest import Tool
from playwright.sync_api import Browser, Page
from test_compare_ops import op_level
from test_history import History
from test_ranks import copies, ladder, layouts
from test_report import HOSTILE, sweep, watched
from test_training import run_folder
from test_tricks import suite


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


def draw_all(page: Page, width: int) -> None:
    """Every chart of the page is there, and inside it."""
    figures = page.locator("figure[data-chart]")
    assert page.locator("figure[data-chart] svg.marks").count() == figures.count()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_text("This chart could not be drawn").count() == 0


@pytest.fixture(scope="module")
def pages(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every other kind of page there is."""
    folder = tmp_path_factory.mktemp("pages")
    report = factory.write(folder / "a.json", factory.report(sweep()))
    other = {"cpu": {"model_name": "Other CPU"}, "system": {"host": HOSTILE}}
    threads = [*sweep(0.6), *(r for n in (1, 4) for r in factory.processes([n], threads=n))]
    machine = factory.write(folder / "b.json", factory.report(threads, environment=other))
    cost = factory.write(
        folder / "cost.json", {"machines": [{"report": "a.json", "price": 1000, "watts": 200}]}
    )
    ops = factory.write(folder / "ops.json", op_level([0.5] * 3))
    tricks = factory.write(folder / "tricks" / "tricks.json", suite(("full images", HOSTILE)))
    run = run_folder(folder / HOSTILE.replace("/", "_"), ("hippocampus_101_overlay.png",))
    watched_report = factory.write(
        folder / "w.json",
        factory.report(
            [*watched("eigen-tensor", [2.0] * 6, 0.5), *watched("onednn", [1.0] * 6, 0.25)]
        ),
    )
    ranks = factory.write(
        folder / "ranks.json",
        factory.report(
            [*ladder(), *layouts(), *copies()], environment={"system": {"host": HOSTILE}}
        ),
    )
    inputs = {
        "machines": [report, machine, "--cost", cost],
        "ops": [ops],
        "training": [run],
        "tricks": [tricks],
        "watched": [watched_report],
        "ranks": [ranks],
    }
    found = {name: folder / f"{name}.html" for name in inputs}
    for name, arguments in inputs.items():
        done = tool("report", *arguments, "-o", found[name])
        assert done.returncode == 0, done.stderr
    history = History(tool, folder)
    files = [history.file(0.5) for _ in range(6)] + [history.file(0.6) for _ in range(6)]
    history("add", *files)
    found["trend"] = folder / "trend.html"
    assert history("trend", "-o", found["trend"]).returncode == 0
    return found


@pytest.mark.parametrize(
    ("kind", "charts"),
    [
        ("machines", ["speed-up", "scaling"]),
        ("ops", ["ops"]),
        ("training", ["training-loss-", "training-accuracy-"]),
        ("tricks", ["tricks-"]),
        ("watched", ["waterfall", "work"]),
        ("trend", ["trend-0"]),
        ("ranks", ["ranks-weak", "ranks-strong", "ranks-step", "ranks-threads", "copies"]),
    ],
)
def test_every_kind_of_page_opens_quietly(
    browser: Browser,  # noqa: F811
    pages: dict[str, Path],
    tmp_path: Path,
    kind: str,
    charts: list[str],
) -> None:
    for width, scheme in ((1280, "light"), (420, "dark")):
        with visit(browser, pages[kind], width, scheme) as found:
            folder = Path(os.environ.get("VOXMARK_SCREENSHOTS", tmp_path))
            found.page.screenshot(path=folder / f"{kind}-{width}-{scheme}.png", full_page=True)
            assert (found.complaints, found.requests, found.dialogs) == ([], [], [])
            draw_all(found.page, width)
            for chart in charts:
                assert found.page.locator(f"figure[data-chart^='{chart}']").count() >= 1, chart
            images = found.page.locator("img")
            assert images.count() == (1 if kind == "training" else 0)


def test_what_is_printed_fits_the_paper(
    browser: Browser,  # noqa: F811
    page_file: Path,
) -> None:
    paper = 700  # CSS pixels of A4 between margins
    with visit(browser, page_file, 1280) as found:
        page = found.page
        page.emulate_media(media="print")
        # As printing does: another width, and charts as wide as they were drawn for the screen.
        page.evaluate(
            f"""document.body.style.width = '{paper}px';
            document.querySelectorAll('svg.marks').forEach((svg) => {{
              svg.setAttribute('width', 1200); svg.setAttribute('viewBox', '0 0 1200 300');
            }})"""
        )
        for kind in ("svg.marks", "table", ".headline"):
            boxes = page.locator(kind)
            assert boxes.count() > 0
            for i in range(boxes.count()):
                box = boxes.nth(i).bounding_box()
                assert box is not None and box["width"] <= paper, (kind, i, box)
        assert page.locator(".csv").first.is_hidden()
        # Nothing scrolls on paper: all rows of the longest table are there.
        inside = "(e) => e.scrollHeight <= e.clientHeight + 1"
        assert all(scroll.evaluate(inside) for scroll in page.locator(".scroll").all())
        assert page.pdf(format="A4").startswith(b"%PDF")


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
        tooltip = page.locator("#vg-tooltip-element.visible")
        for _ in range(60):  # a page that is still busy does not see the mouse
            points.first.hover(force=True)
            page.wait_for_timeout(100)
            if tooltip.is_visible():
                break
            page.mouse.move(0, 0)
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
