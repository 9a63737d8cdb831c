"""The README's way to a backend of one's own: each of its commands is one, and does something."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2]
VOXMARK = Path(os.environ["VOXMARK_BINARY"])
BUILD = VOXMARK.parents[1]


def commands() -> list[str]:
    """The lines of the section's shell blocks, one command each, for the backend `example`."""
    section = (SOURCES / "README.md").read_text().split("## How to add a backend")[1]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    lines = "\n".join(blocks).splitlines()
    found = [part.strip() for line in lines for part in line.split("  #")[0].split("&&")]
    return [re.sub(r"\bmine\b", "example", command) for command in found if command]


def run(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", commands())
def test_a_printed_command_is_one(command: str, tmp_path: Path) -> None:
    program, *words = shlex.split(command)
    if program == "cmake" and words[0] == "--preset":
        presets = json.loads((SOURCES / "CMakePresets.json").read_text())["configurePresets"]
        assert words[1] in [preset["name"] for preset in presets]
    elif program == "cmake":
        assert words[0] == "--build"
        assert words[2] == "--target"
        for target in words[3:]:
            run("ninja", "-C", BUILD, "-t", "query", target)
    elif program == "ctest":
        words[words.index("--test-dir") + 1] = str(BUILD)
        found = re.search(r"Total Tests: (\d+)", run("ctest", *words, "--show-only"))
        assert found
        assert int(found[1]) > 0, "it would end with 0 and have tested nothing"
    elif program.endswith("/voxmark") and words[0] == "run":
        words[words.index("--out") + 1] = str(tmp_path / "report.json")
        assert "example" in run(VOXMARK, *words, "--dry-run")
    elif program.endswith("/voxmark"):
        assert "verified" in run(VOXMARK, *words, "--image", "16", "--filters", "2")
    elif program.startswith("build/"):
        bench = BUILD / "bin" / Path(program).name
        run("ninja", "-C", BUILD, "-t", "query", bench.name)
        if bench.exists():
            assert run(bench, *words, "--benchmark_list_tests")
    else:
        pytest.fail(f"nothing here checks: {command}")


def test_the_section_has_the_commands_of_its_steps() -> None:
    printed = "\n".join(commands())
    for word in ("--target voxmark", "verify --backend", "run --backend", "ctest", "bench_ops"):
        assert word in printed
