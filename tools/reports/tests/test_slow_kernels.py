"""Which kernels are slow: as results/slow_kernel.h says, by the same examples."""

import json
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from voxmark_reports.slow_kernels import is_slow

EXAMPLES = json.loads(
    (Path(__file__).resolve().parents[3] / "results" / "slow_kernel_examples.json").read_text()
)


def stage_of(example: dict[str, Any]) -> dict[str, Any]:
    stage = {**factory.STAGES[0], "implementation": example["implementation"]}
    return {**stage, "slow": example["told"]} if "told" in example else stage


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_agrees_with_the_examples_that_cpp_reads_too(example: dict[str, Any]) -> None:
    assert is_slow(stage_of(example)) == example["slow"]


@pytest.mark.parametrize("told", [{}, {"slow": True}])
def test_the_page_warns_of_slow_kernels_in_old_reports_and_in_new(
    tool: Tool, tmp_path: Path, told: dict[str, bool]
) -> None:
    record = factory.record()
    kernels = ("x64:gemm:jit", "x64:gemm:jit between reorders", "ref:any")
    record["stages"] = [{**factory.STAGES[0], "implementation": k, **told} for k in kernels]
    path = factory.write(tmp_path / "a.json", factory.report([record]))
    done = tool("report", path, "-o", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "2 stages run as x64:gemm:jit, which is slow" in page
    assert "1 stages run as ref:any, which is slow" in page


def test_slow_is_true_or_false(tool: Tool, tmp_path: Path) -> None:
    record = factory.record()
    record["stages"] = [{**factory.STAGES[0], "slow": "yes"}]
    path = factory.write(tmp_path / "a.json", factory.report([record]))
    done = tool("compare", path, path)
    assert done.returncode == 64 and "slow" in done.stderr
