"""What voxmark plan --by-layer told, on the page."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_report import text_of

PEAK = {"step": 6, "steps": 9, "op": "sigmoid", "layer": "prediction", "phase": "forward"}


def layer(name: str, sizes: tuple[int, int, int, int], flops: int = 0) -> dict[str, Any]:
    forward, backward, weights, other = sizes
    return {
        "layer": name,
        "type": "Conv3D" if flops else None,
        "output": [1, 16, 16, 16, 2] if flops else None,
        "parameters": 56 if flops else 0,
        "forward_flops": flops,
        "backward_flops": 2 * flops,
        "forward_bytes": forward,
        "backward_bytes": backward,
        "weight_bytes": weights,
        "other_bytes": other,
        "total_bytes": sum(sizes),
        "share": sum(sizes) / 2**31,
        "held": "kept" if forward else None,
        "lies_in": None,
        "kept_bytes": forward,
        "output_bytes": forward,
        "gradient_bytes": backward,
    }


def plans() -> dict[str, Any]:
    """Half of 2 GiB are activations, a quarter gradients."""
    return {
        "schema": "voxmark.plan-by-layer/1",
        "image": [16, 16, 16],
        "batch": 1,
        "filters": 2,
        "channels": 1,
        "classes": 1,
        "precision": "fp32",
        "plans": [
            {
                "backend": backend,
                "planned_bytes": 2**31,
                "exact": backend != "onednn",
                "extra_time_share": 0.0,
                "peak": peak,
                "layers": [
                    layer("encodeA_conv0", (2**30, 2**29, 2**28, 0), 10**9),
                    layer("gaps", (0, 0, 0, 2**28)),
                ],
                "buffers": [],
            }
            for backend, peak in (
                ("onednn", PEAK),
                ("keeps-everything", None),
            )
        ],
    }


def test_plans_are_a_chart_and_a_table_each(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "mine.json", plans())
    figures = tmp_path / "figures"
    done = tool("report", path, "-o", tmp_path / "t.html", "--figures", figures)
    assert done.returncode == 0, done.stderr
    for name in ("onednn", "keeps-everything", "work"):
        assert (figures / f"layers-mine-{name}.svg").is_file()
    rows = list(csv.DictReader((figures / "layers-mine-onednn.csv").open()))
    assert [row["layer"] for row in rows] == ["encodeA_conv0", "gaps"]
    assert rows[0]["output"] == "16x16x16x2"
    assert sum(int(row["total_bytes"]) for row in rows) == 2**31
    text = text_of(tmp_path / "t.html")
    assert "1 image of 16x16x16, 2 filters, fp32" in text
    assert "onednn (estimated): 2.00 GiB by layer" in text
    assert "in the forward pass: prediction (sigmoid), step 7 of 9" in text
    assert "a framework that keeps everything (arithmetic): 2.00 GiB by layer" in text
    assert "Bytes in use when the step ends" in text


def test_bars_add_up_to_the_plan(tool: Tool, tmp_path: Path) -> None:
    from voxmark_reports import layers

    parsed = layers.parse_plans(plans(), tmp_path / "mine.json")
    charts = layers.section([parsed]).charts
    sizes = [row["size"] for row in charts[0].spec["data"]["values"]]
    assert sum(sizes) == pytest.approx(2)  # GiB
    work = [row["gflop"] for row in charts[2].spec["data"]["values"]]
    assert work == [1, 2]


def test_a_bundle_takes_plans_with_their_format(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "mine.json", plans())
    done = tool("bundle", path, "-o", tmp_path / "b.tar.gz")
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = {name.removeprefix("b/") for name in archive.getnames()}
    assert {"plans/mine.json", "plan_by_layer.schema.json"} <= names


@pytest.mark.parametrize(
    ("change", "code", "complaint"),
    [
        ({"schema": "voxmark.plan-by-layer/0"}, 3, "voxmark.plan-by-layer/0"),
        ({"plans": []}, 64, "plans: "),
        ({"batch": "many"}, 64, "batch: "),
    ],
)
def test_what_breaks_the_schema_is_refused(
    tool: Tool, tmp_path: Path, change: dict[str, Any], code: int, complaint: str
) -> None:
    path = factory.write(tmp_path / "mine.json", {**plans(), **change})
    done = tool("report", path, "-o", tmp_path / "t.html")
    assert done.returncode == code
    assert complaint in done.stderr and done.stderr.count("\n") == 1


def test_what_voxmark_writes_is_read(tool: Tool, tmp_path: Path) -> None:
    command = [os.environ["VOXMARK_BINARY"], "plan", "--by-layer", "--image", "16x32x16"]
    backends = ["--backend", "naive,eigen-tensor,onednn,keeps-everything"]
    done = subprocess.run([*command, *backends, "--json"], check=True, capture_output=True)
    (tmp_path / "own.json").write_bytes(done.stdout)
    told = tool("report", tmp_path / "own.json", "-o", tmp_path / "t.html")
    assert told.returncode == 0, told.stderr
    assert "encodeA_conv0" in text_of(tmp_path / "t.html")

    done = subprocess.run(
        [*command, *backends, "--csv", tmp_path / "own.csv"], check=True, capture_output=True
    )
    rows = list(csv.DictReader((tmp_path / "own.csv").open()))
    planned = json.loads((tmp_path / "own.json").read_text())["plans"]
    for plan in planned:
        own = [row for row in rows if row["backend"] == plan["backend"]]
        assert [row["layer"] for row in own] == [one["layer"] for one in plan["layers"]]
        assert sum(int(row["total_bytes"]) for row in own) == plan["planned_bytes"]
        assert sum(float(row["share"]) for row in own) == pytest.approx(1)
    assert rows[2]["type"] == "BatchNorm, ReLU"
