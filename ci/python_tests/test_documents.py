"""The documents: every command that they print is one, every link and path leads somewhere.

A fence of ```sh that `<!-- run -->` precedes is run as a whole, in a folder of its own. Of every
command the program, the subcommand and the flags are looked up, and a dry run is made where there
is one.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2]
VOXMARK = Path(os.environ["VOXMARK_BINARY"])
BUILD = VOXMARK.parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "benches/protocol/*.md")
    for path in SOURCES.glob(pattern)
)
FENCE = re.compile(r"(<!-- run -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Programs of others, whose flags are not ours to check.
FOREIGN = {"pip"}
# Words that stand for what a reader has: a dry run of them would find nothing.
PLACEHOLDER = re.compile(r"exec:|\b(OLD_BINARY|OTHER|Task\d\d_\w+|mine)\b")


@dataclass(frozen=True)
class Block:
    document: Path
    text: str
    is_run: bool

    def __str__(self) -> str:
        return f"{self.document.name}: {self.text.splitlines()[0]}"


def blocks() -> list[Block]:
    return [
        Block(document, match[3], bool(match[1]))
        for document in DOCUMENTS
        for match in FENCE.finditer(document.read_text())
        if match[2] == "sh"
    ]


def commands() -> list[str]:
    """One a line, without comments; each once."""
    found: dict[str, None] = {}
    for block in blocks():
        for line in block.text.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;", line.split("  #")[0]):
                if part.strip():
                    found[part.strip()] = None
    return list(found)


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text())


def run(*words: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@functools.cache
def help_of(*subcommand: str) -> str:
    return run(VOXMARK, *subcommand, "--help")


def check_flags(words: list[str]) -> None:
    """`words` are those behind `voxmark`."""
    subcommand = words[:1]
    if words[0] in ("list", "history") and len(words) > 1:
        subcommand = words[:2]
    text = help_of() if words[0].startswith("-") else help_of(*subcommand)
    for word in words:
        if re.match(r"--?[a-z]", word):
            flag = word.split("=")[0]
            assert re.search(rf"(^|[\s,\[]){re.escape(flag)}\b(?!-)", text), f"{flag} is no flag"


def check_voxmark(words: list[str], folder: Path) -> None:
    check_flags(words)
    line = shlex.join(words)
    is_dry = words[0] == "run" or (words[0] in ("train", "tricks") and "phantom:" in line)
    if is_dry and not PLACEHOLDER.search(line) and "--resume" not in words:
        suites = [str(SOURCES / word) if word.startswith("results/") else word for word in words]
        run(VOXMARK, *suites, *([] if "--dry-run" in words else ["--dry-run"]), cwd=folder)


def check_cmake(words: list[str]) -> None:
    if words[0] == "--preset":
        presets = json.loads((SOURCES / "CMakePresets.json").read_text())["configurePresets"]
        assert words[1] in [preset["name"] for preset in presets]
        return
    assert words[0] == "--build"
    assert words[2] == "--target"
    for target in words[3:]:
        run("ninja", "-C", BUILD, "-t", "query", target)


def check_ctest(words: list[str]) -> None:
    words = [re.sub(r"\bmine\b", "example", word) for word in words]
    words[words.index("--test-dir") + 1] = str(BUILD)
    found = re.search(r"Total Tests: (\d+)", run("ctest", *words, "--show-only"))
    assert found
    assert int(found[1]) > 0, "it would end with 0 and have tested nothing"


def check_bench(program: Path, words: list[str]) -> None:
    run("ninja", "-C", BUILD, "-t", "query", program.name)
    if (BUILD / "bin" / program.name).exists():
        assert run(BUILD / "bin" / program.name, *words, "--benchmark_list_tests")


def check_script(program: str, words: list[str]) -> None:
    path = SOURCES / program
    assert os.access(path, os.X_OK), f"{program} is no program"
    for word in words:
        if not word[0].isdigit() and not PLACEHOLDER.search(word) and word != "DIR":
            assert word in path.read_text(), f"{program} does not know {word}"


@pytest.mark.parametrize("command", commands())
def test_a_printed_command_is_one(command: str, tmp_path: Path) -> None:
    program, *words = shlex.split(command)
    if program == "voxmark" or program.endswith("/voxmark"):
        check_voxmark(words, tmp_path)
    elif program == "cmake":
        check_cmake(words)
    elif program == "ctest":
        check_ctest(words)
    elif program.startswith("build/"):
        check_bench(Path(program), words)
    elif program.startswith("ci/"):
        check_script(program, words)
    elif program == "alias":
        assert words == ["voxmark=$PWD/build/release/bin/voxmark"]
    elif program == "voxmark-setup-tools":
        assert "setup-tools.sh" in (SOURCES / "tools/reports/CMakeLists.txt").read_text()
    elif program not in FOREIGN:
        pytest.fail(f"nothing here checks: {command}")


@pytest.mark.parametrize("block", [block for block in blocks() if block.is_run], ids=str)
def test_what_is_marked_as_runnable_runs(block: Block, tmp_path: Path) -> None:
    path = f"{VOXMARK.parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        ["bash", "-eux", "-c", block.text],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_flags_named_in_sentences_are_flags(document: Path) -> None:
    for code in re.findall(r"`voxmark ([^`]+)`", prose(document)):
        words = shlex.split(re.sub(r"\s+\.\.\.(\s|$)", r"\1", code.split("|")[0]))
        if words[0] != "NAME":
            check_flags(words)


def anchors(document: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name}: {link}: there is no {path}"
        if anchor:
            assert anchor in anchors(target), f"{document.name}: {link}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_path_named_is_there(document: Path) -> None:
    folders = "base|workloads|backends|benches|results|training|tools|ci|docs|cmake"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", prose(document)):
        assert (SOURCES / path).exists(), f"{document.name}: there is no {path}"


def test_the_documents_have_the_commands_of_their_steps() -> None:
    printed = "\n".join(commands())
    for word in ("ci/quickstart", "ci/test", "--target voxmark", "verify --backend", "ctest"):
        assert word in printed
    assert sum(block.is_run for block in blocks()) >= 3


def test_every_room_has_a_line_in_the_architecture() -> None:
    rooms = {
        str(path.parent.relative_to(SOURCES))
        for top in ("workloads", "backends", "results", "benches", "training", "tools")
        for path in (SOURCES / top).glob("*/CMakeLists.txt")
    }
    text = (SOURCES / "docs" / "architecture.md").read_text()
    assert rooms
    assert sorted(room for room in rooms if f"[{room}](../{room})" not in text) == []


def test_the_readme_is_short() -> None:
    assert (SOURCES / "README.md").stat().st_size <= 10_000


def test_every_document_is_named_in_the_readme() -> None:
    text = (SOURCES / "README.md").read_text()
    names = [path.name for path in (SOURCES / "docs").glob("*.md")]
    assert len(names) >= 10
    assert [name for name in names if f"(docs/{name})" not in text] == []
