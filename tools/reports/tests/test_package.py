"""The installed program runs wherever it is moved, with libraries of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import factory
import pytest

GLIBC = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packed by CPack, unpacked, and moved to another folder."""
    folder = tmp_path_factory.mktemp("package")
    pack = ["cpack", "-B", folder / "packed"]
    subprocess.run(pack, cwd=os.environ["VOXMARK_BUILD_DIR"], check=True, capture_output=True)
    (tarball,) = (folder / "packed").glob("voxmark-*.tar.gz")
    with tarfile.open(tarball) as archive:
        archive.extractall(folder)
    (folder / tarball.name.removesuffix(".tar.gz")).rename(folder / "a folder of another name")
    return folder / "a folder of another name"


def bare(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Without the environment of whoever runs the tests."""
    env = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=env)


def test_measures_with_its_own_libraries(moved: Path, tmp_path: Path) -> None:
    flags = "--backend naive,null --image 32 --filters 2 --steps 1 --warmup 0".split()
    out = tmp_path / "r.json"
    done = bare(moved / "bin" / "voxmark", "run", *flags, "--out", out, OMP_WAIT_POLICY="passive",
                HOME=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    libraries = json.loads(out.read_text())["environment"]["libraries"]
    foreign = [
        library["path"]
        for library in libraries
        if not library["path"].startswith(str(moved))
        and not any(name in library["path"] for name in GLIBC)
    ]
    assert foreign == []
    assert any("libdnnl" in library["path"] for library in libraries)


def test_brings_the_documents(moved: Path) -> None:
    documents = moved / "share" / "voxmark"
    readme = (documents / "README.md").read_text()
    links = re.findall(r"\]\(([\w./-]+\.md)", readme)
    assert len(links) > 10
    assert [link for link in links if not (documents / link).exists()] == []


def test_glibc_is_all_it_asks_of_the_server(moved: Path) -> None:
    listed = bare("ldd", moved / "bin" / "voxmark").stdout
    for line in listed.splitlines():
        name, _, place = line.strip().partition(" => ")
        if not any(part in name for part in GLIBC):
            assert os.path.realpath(place.rpartition(" (")[0]).startswith(str(moved)), line


def test_names_no_place_of_the_machine_it_was_built_on(moved: Path) -> None:
    source = str(Path(__file__).resolve().parents[3])
    for path in (moved / "bin").iterdir():
        if path.name != "voxmark":  # its debug information does, where there is any
            assert source not in path.read_text(), path.name
    runpath = bare("objdump", "-p", moved / "bin" / "voxmark").stdout
    assert re.search(r"RPATH +\$ORIGIN/\.\./lib/voxmark\n", runpath)


def test_its_tools_find_their_sources_and_say_what_they_lack(moved: Path, tmp_path: Path) -> None:
    report = factory.write(tmp_path / "r.json", factory.report(factory.processes([0.5] * 6)))
    without = bare(moved / "bin" / "voxmark", "compare", report, report)
    assert without.returncode == 5
    assert "voxmark-setup-tools" in without.stderr
    schemas = {path.name for path in (moved / "share/voxmark/reports").rglob("*.schema.json")}
    assert schemas == {
        "report.schema.json",
        "training.schema.json",
        "tricks.schema.json",
        "plan_by_layer.schema.json",
    }
    python = Path(__file__).resolve().parents[3] / ".venv" / "bin" / "python"
    done = bare(moved / "bin" / "voxmark", "compare", report, report, VOXMARK_PYTHON=str(python))
    assert done.returncode == 0, done.stderr
