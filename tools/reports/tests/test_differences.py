"""What a valid report may hold at places of the reader's own shape."""

from __future__ import annotations

from pathlib import Path

import factory
from conftest import Tool


def test_hosts_and_flags_of_another_shape_are_no_fault(tool: Tool, tmp_path: Path) -> None:
    records = factory.processes([0.5, 0.501])
    records[1]["samples"][1]["readings"]["tainted"] = -1
    odd = factory.report(records, environment={"system": {"host": [None]}})
    path = factory.write(tmp_path / "odd.json", odd)
    assert tool("compare", path, path).returncode == 4
    assert tool("report", path, "-o", tmp_path / "page.html").returncode == 0
