"""`voxmark --version`, and what a report says of its build: from a tag, a commit, a tarball."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

VOXMARK = os.environ["VOXMARK_BINARY"]
SCRIPT = Path(__file__).parents[2] / "benches/machine/git_info.cmake"


def git(folder: Path, *arguments: str) -> str:
    """What git prints, by a user and with settings that depend on no machine."""
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *settings, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder of sources that no git knows."""
    folder = tmp_path / "outer" / "sources"
    folder.mkdir(parents=True)
    (folder / "code.cpp").write_text("int main() {}\n")
    return folder


def commit_all(folder: Path) -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one")
    return git(folder, "rev-parse", "HEAD")


def built(folder: Path) -> dict[str, str]:
    """What a build of the folder, whose project calls itself 0.1.0, would know of itself."""
    header = folder.parents[1] / "info.h"
    subprocess.run(
        [
            "cmake",
            f"-DSOURCE_DIR={folder}",
            f"-DHEADER={header}",
            "-DPROJECT_VERSION=0.1.0",
            "-P",
            SCRIPT,
        ],
        check=True,
    )
    found = re.findall(r'#define VOXMARK_(\w+) "?([^"\n]*)"?\n', header.read_text())
    return dict(found)


def facts(version: str, text: str, commit: str, dirty: str) -> dict[str, str]:
    return {"VERSION": version, "VERSION_TEXT": text, "COMMIT": commit, "DIRTY": dirty}


def test_a_tarball_has_the_projects_version(sources: Path) -> None:
    assert built(sources) == facts("0.1.0", "0.1.0", "", "false")


def test_a_tarball_in_the_checkout_of_another_project_has_none_of_its_commits(
    sources: Path,
) -> None:
    commit_all(sources.parent)
    git(sources.parent, "tag", "v9.9.9")
    assert built(sources) == facts("0.1.0", "0.1.0", "", "false")


def test_a_checkout_without_a_commit_has_the_projects_version(sources: Path) -> None:
    git(sources, "init", "--quiet")
    assert built(sources) == facts("0.1.0", "0.1.0", "", "true")


def test_a_commit_is_named_after_the_projects_version(sources: Path) -> None:
    commit = commit_all(sources)
    git(sources, "tag", "nightly")
    assert built(sources) == facts("0.1.0", f"0.1.0+{commit[:12]}", commit, "false")


def test_changes_are_told(sources: Path) -> None:
    commit = commit_all(sources)
    (sources / "code.cpp").write_text("int main() { return 1; }\n")
    assert built(sources) == facts("0.1.0", f"0.1.0+{commit[:12]}.changed", commit, "true")


def test_a_tag_is_the_version(sources: Path) -> None:
    commit = commit_all(sources)
    git(sources, "tag", "v1.2.3")
    assert built(sources) == facts("1.2.3", "1.2.3", commit, "false")


def test_changes_of_a_tag_are_told(sources: Path) -> None:
    commit = commit_all(sources)
    git(sources, "tag", "v1.2.3")
    (sources / "more.cpp").write_text("\n")
    assert built(sources) == facts("1.2.3", f"1.2.3+{commit[:12]}.changed", commit, "true")


def test_a_commit_after_a_tag_is_no_release(sources: Path) -> None:
    commit_all(sources)
    git(sources, "tag", "v1.2.3")
    commit = commit_all(sources)
    assert built(sources) == facts("0.1.0", f"0.1.0+{commit[:12]}", commit, "false")


def test_the_program_and_its_reports_say_the_same() -> None:
    version = subprocess.run([VOXMARK, "--version"], check=True, capture_output=True, text=True)
    output = subprocess.run([VOXMARK, "sysinfo", "--json"], check=True, capture_output=True)
    program = json.loads(output.stdout)["voxmark"]
    text = version.stdout.strip()
    assert text.split("+")[0] == program["version"]
    if program["commit"] is None:
        assert text == program["version"]
    else:
        assert text.endswith(".changed") == program["dirty"]
        assert "+" not in text or text.split("+")[1].startswith(program["commit"][:12])
