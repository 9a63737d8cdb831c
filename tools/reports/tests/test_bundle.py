"""voxmark bundle: what is in an archive, and what its check notices."""

from __future__ import annotations

import gzip
import io
import re
import subprocess
import tarfile
from pathlib import Path

import factory
import pytest
from conftest import Tool
from test_training import run_folder


@pytest.fixture(scope="module")
def bundle(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    records = [*factory.processes([1.0, 1.1], "eigen-tensor"), *factory.processes([0.5, 0.51])]
    report = factory.write(folder / "my report.json", factory.report(records))
    done = tool("bundle", report, "-o", folder / "mine.tar.gz")
    assert done.returncode == 0, done.stderr
    return folder / "mine.tar.gz"


def changed(bundle: Path, out: Path, name: str, content: bytes | None) -> Path:
    """A bundle with one file changed, added, or (None) left out."""
    with tarfile.open(bundle) as old, tarfile.open(out, "w:gz") as new:
        members = {member.name: old.extractfile(member).read() for member in old}
        members[name] = content
        for own, data in members.items():
            if data is not None:
                member = tarfile.TarInfo(own)
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
    return out


def test_holds_all_there_is_to_share(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        names = {name.removeprefix("mine/") for name in archive.getnames()}
    assert {"reports/my_report.json", "report.schema.json", "report.html", "README.txt",
            "SHA256SUMS", "figures/step-time.svg", "figures/results.csv"} <= names  # fmt: skip


def test_takes_all_that_a_page_can_show(tool: Tool, tmp_path: Path) -> None:
    for number in (1, 2):
        content = factory.report(factory.processes([0.5 + 0.01 * number]))
        factory.write(tmp_path / "state" / f"{number}.json", content)
    report = factory.write(tmp_path / "a.json", factory.report(factory.processes([1.0, 1.1])))
    run = run_folder(tmp_path / "hippocampus", ("hippocampus_101_overlay.png",))
    costs = factory.write(
        tmp_path / "costs.json", {"machines": [{"report": "a.json", "price": 1000}]}
    )
    done = tool(
        "bundle", report, tmp_path / "state", run, "--cost", costs, "-o", tmp_path / "b.tar.gz"
    )
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = {name.removeprefix("b/") for name in archive.getnames()}
    assert {
        "reports/a.json",
        "reports/state/1.json",
        "reports/state/2.json",
        "training/hippocampus/training.json",
        "training/hippocampus/hippocampus_101_overlay.png",
        "training.schema.json",
        "cost.json",
        "figures/cost.csv",
    } <= names
    assert tool("bundle", "--check", tmp_path / "b.tar.gz").returncode == 0


def test_a_whole_bundle_passes_here_and_with_sha256sum(
    tool: Tool, bundle: Path, tmp_path: Path
) -> None:
    assert tool("bundle", "--check", bundle).returncode == 0
    with tarfile.open(bundle) as archive:
        archive.extractall(tmp_path)
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    subprocess.run(check, cwd=tmp_path / "mine", check=True, capture_output=True)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("mine/reports/my_report.json", b"{}", "was changed"),
        ("mine/report.schema.json", None, "is missing"),
        ("mine/more.txt", b"more", "is not in SHA256SUMS"),
    ],
)
def test_every_change_is_noticed(
    tool: Tool, bundle: Path, tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    done = tool("bundle", "--check", changed(bundle, tmp_path / "x.tar.gz", name, content))
    assert done.returncode == 1
    assert complaint in done.stdout


def test_what_is_no_bundle_is_bad_input(tool: Tool, bundle: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(bundle.read_bytes()[:-2000])
    text = tmp_path / "text.tar.gz"
    text.write_text("text")
    empty = tmp_path / "empty.tar.gz"
    empty.write_bytes(gzip.compress(b""))
    without_sums = changed(bundle, tmp_path / "no.tar.gz", "mine/SHA256SUMS", None)
    for path in (cut, text, empty, without_sums, tmp_path / "missing"):
        done = tool("bundle", "--check", path)
        assert done.returncode == 64, path
        assert done.stderr.count("\n") == 1


def test_only_reports_go_in(tool: Tool, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert tool("bundle", other, "-o", tmp_path / "x.tar.gz").returncode == 64
    assert tool("bundle", "-o", tmp_path / "x.tar.gz").returncode == 64
    assert not (tmp_path / "x.tar.gz").exists()


def test_both_ends_count_the_same_files(tool: Tool, tmp_path: Path) -> None:
    report = factory.write(tmp_path / "a.json", factory.report(factory.processes([0.5] * 5)))
    out = tmp_path / "b.tar.gz"
    packed = re.search(r"(\d+) files", tool("bundle", report, "-o", out).stdout)
    checked = re.match(r"(\d+) files, 0 faults", tool("bundle", "--check", out).stdout)
    assert packed and checked and packed[1] == checked[1]
