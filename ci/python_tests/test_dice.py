"""ci/dice with a program that only writes reports."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parents[2]

# OUT is the third argument; another COMMENT makes another binary.
PROGRAM = """#!/bin/sh
# COMMENT
mkdir -p "$3" && touch "$3/last.safetensors"
hash=$(sha256sum <"$0" | cut -d " " -f 1)
test='{"mean": {"whole_dice": 0.95}, "cases": [1]}'
[ "$END" = done ] || test=null
cat >"$3/training.json" <<JSON
{"created": "2024-05-31T12:00:00Z", "voxmark": {"binary_sha256": "$hash", "commit": "0123"},
 "epochs": [{"seconds": 60, "validation_seconds": 1, "computed_by": [{"binary_sha256": "$hash"}]}],
 "best_epoch": 1, "end": "$END", "test": $test}
JSON
[ "$END" = done ]
"""


def dice(folder: Path, comment: str = "", end: str = "done") -> subprocess.CompletedProcess[str]:
    (folder / "ci").mkdir(exist_ok=True)
    shutil.copy(SOURCES / "ci" / "dice", folder / "ci")
    program = folder / "program"
    program.write_text(PROGRAM.replace("COMMENT", comment))
    program.chmod(0o755)
    environment = {**os.environ, "VOXMARK_BINARY": str(program), "END": end}
    line = [folder / "ci" / "dice", "phantom"]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)


def test_a_finished_run_of_another_binary_is_made_anew(tmp_path: Path) -> None:
    first = dice(tmp_path)
    assert first.returncode == 0, first.stderr
    assert "commit 0123, 2024-05-31T12:00:00Z" in first.stdout
    kept = tmp_path / "build" / "dice" / "phantom" / "kept"
    kept.touch()
    assert dice(tmp_path).returncode == 0
    assert kept.exists()
    dice(tmp_path, "another", end="interrupted")
    assert not kept.exists()
    kept.touch()
    dice(tmp_path, "a third one")  # goes on: it was not finished
    assert kept.exists()


def test_a_run_that_diverged_is_a_no(tmp_path: Path) -> None:
    done = dice(tmp_path, end="diverged")
    assert done.returncode == 1
    assert "NO:  diverged after 1 epochs" in done.stdout
