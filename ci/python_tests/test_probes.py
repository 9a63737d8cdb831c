"""What peers read of the kernel's files, as benches/probes/readings.cpp does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "peers"))

import probes


def tree(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for path, text in {"proc/self/cgroup": cgroup, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "top", "count"),
    [
        ("0::/a/b\n", "sys/fs/cgroup", "throttled_usec {}000000"),
        ("4:memory:/m\n3:cpu,cpuacct:/a/b\n", "sys/fs/cgroup/cpu", "throttled_time {}000000000"),
    ],
)
def test_throttling_by_groups_around_counts(
    tmp_path: Path, cgroup: str, top: str, count: str
) -> None:
    folders = {top: 1, top + "/a": 2, top + "/a/b": 4, top + "/a/other": 8}
    files = {f"{folder}/cpu.stat": count.format(n) for folder, n in folders.items()}
    found = probes.cgroup_files("cpu.stat", tree(tmp_path, cgroup, files))
    assert probes.throttled_seconds(found) == pytest.approx(7)


def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.stat": "throttled_usec 5"}
    assert len(probes.cgroup_files("cpu.stat", tree(tmp_path, "0::/gone\n", files))) == 1


def test_without_a_group_there_is_no_figure(tmp_path: Path) -> None:
    found = probes.cgroup_files("cpu.stat", tree(tmp_path, "0::/a\n", {}))
    assert probes.throttled_seconds(found) is None


def test_what_shrinks_is_left_out() -> None:
    before = {"thread_wait_seconds": 2.0, "minor_faults": 5.0, "steal_seconds": None}
    after = {"thread_wait_seconds": 1.0, "minor_faults": 7.0, "steal_seconds": 1.0}
    assert probes.between(before, after) == {"minor_faults": 2.0}
