"""A large report: 2,000 records, as of a long sweep."""

from __future__ import annotations

import time
from pathlib import Path

import factory
import pytest
from browser import browser, visit  # noqa: F401
from conftest import Tool
from playwright.sync_api import Browser

BACKENDS = ("eigen-tensor", "eigen", "onednn", "tensorflow-onednn")
SIZES = 50
PROCESSES = 10
STAGES = 160  # as many as the real ones have, so that the file is as large


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("large")
    paths = []
    for side in (0, 1):
        records = []
        for size in range(SIZES):
            for position, backend in enumerate(BACKENDS):
                seconds = 1e-3 * (size + 1) * (4 - position)
                values = factory.noisy_seconds(PROCESSES, seconds, 0.01, 100 * size + side)
                records += factory.processes(values, backend, image=[16 * (size + 1)] * 3)
        for record in records:
            record["stages"] = [
                {**record["stages"][0], "ops": [f"layer{i}/convolution"]} for i in range(STAGES)
            ]
        assert len(records) == 2000
        paths.append(factory.write(folder / f"{side}.json", factory.report(records)))
    return paths[0], paths[1]


def test_is_compared_in_seconds(tool: Tool, large: tuple[Path, Path]) -> None:
    start = time.process_time()  # of this process: others may keep the machine busy
    done = tool("compare", *large)
    seconds = time.process_time() - start
    assert done.returncode in (0, 4), done.stderr
    print(f"{seconds:.1f} s of CPU time, {large[0].stat().st_size / 1e6:.0f} MB each")
    assert seconds < 20  # 5 s are wanted, and measured on a quiet machine; this catches a blunder


def test_page_opens_and_scrolls(
    browser: Browser,  # noqa: F811
    tool: Tool,
    large: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    done = tool("report", large[0], "-o", tmp_path / "large.html")
    assert done.returncode == 0, done.stderr
    size = (tmp_path / "large.html").stat().st_size
    assert size < 8e6
    with visit(browser, tmp_path / "large.html") as found:
        assert found.complaints == []
        frames = found.page.evaluate(
            """async () => {
              const times = [];
              let last = performance.now();
              for (let y = 0; y < document.body.scrollHeight; y += 400) {
                scrollTo(0, y);
                await new Promise(requestAnimationFrame);
                times.push(performance.now() - last);
                last = performance.now();
              }
              return times;
            }"""
        )
        median = sorted(frames)[len(frames) // 2]
        print(f"{size / 1e6:.1f} MB, {len(frames)} frames, median {median:.0f} ms")
        assert len(frames) > 10
