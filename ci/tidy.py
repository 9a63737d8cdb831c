"""clang-tidy over the project's sources, those of one folder together: ci/static_checks tidy.

Most of clang-tidy's time goes into headers that every file includes. Files of one folder with the
same flags are read as one, whose headers are read once. Where names of their unnamed namespaces
meet, the later file is read alone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("base", "workloads", "backends", "results", "training", "benches", "tools")
MOST_TOGETHER = 12  # files
# Tests are left out: GoogleTest's macros expand to what these checks forbid; so is the fuzzers'
# main, which no other preset builds.
LEFT_OUT = ("_test.cpp", "fuzz_main.cpp")


def groups(build: Path) -> list[tuple[str, list[str]]]:
    """(flags, files) of everything that is checked, large groups first."""
    by_flags: dict[tuple[str, str], list[str]] = defaultdict(list)
    seen = set()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["file"])
        is_ours = file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in FOLDERS
        if not is_ours or file.name.endswith(LEFT_OUT) or file in seen:
            continue
        seen.add(file)
        words = shlex.split(entry["command"])
        flags = words[: words.index("-o")]
        by_flags[str(file.parent), shlex.join(flags)].append(str(file))
    found = []
    for (_, flags), files in by_flags.items():
        files.sort()
        for first in range(0, len(files), MOST_TOGETHER):
            found.append((flags, files[first : first + MOST_TOGETHER]))
    return sorted(found, key=lambda group: -len(group[1]))


def clang_tidy(database: Path, files: list[str], *options: str) -> tuple[int, str]:
    # g++'s omp.h comes after all other headers: a clang of PyPI's has none.
    of_compiler = subprocess.run(
        ["g++", "-print-file-name=include"], capture_output=True, text=True, check=True
    ).stdout.strip()
    command = [str(ROOT / ".venv/bin/clang-tidy"), "--quiet", "-p", str(database), *options]
    done = subprocess.run(
        [*command, f"--extra-arg=-idirafter{of_compiler}", *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def check(build: Path, together: Path, unit: Path, files: list[str]) -> bool:
    """Whether a group is clean. What is not is printed."""
    alone = []
    while len(files) > 1:
        unit.write_text("".join(f'#include "{file}"\n' for file in files))
        status, output = clang_tidy(
            together,
            [str(unit)],
            # A unit includes sources, which are then headers to clang-tidy.
            "--checks=-bugprone-suspicious-include",
            f"--header-filter=({'|'.join(FOLDERS)})/.*\\.(h|cpp)$",
        )
        if status == 0:
            files = []
            break
        clashing = [
            file
            for file in files
            if re.search(rf"^{re.escape(file)}:.*\[clang-diagnostic", output, re.MULTILINE)
        ]
        if not clashing:
            print(output, flush=True)
            return False
        alone += clashing
        files = [file for file in files if file not in clashing]
    is_clean = True
    for file in files + alone:
        status, output = clang_tidy(build, [file])
        if status != 0:
            print(output, flush=True)
            is_clean = False
    return is_clean


def main() -> int:
    build = Path(os.environ.get("VOXMARK_BUILD_DIR", ROOT / "build/ci")).resolve()
    together = build / "tidy"
    together.mkdir(exist_ok=True)
    work, database = [], []
    for number, (flags, files) in enumerate(groups(build)):
        unit = together / f"{number}.cpp"
        command = f"{flags} -o {unit}.o -c {unit}"
        database.append({"directory": str(build), "command": command, "file": str(unit)})
        work.append((build, together, unit, files))
    if not work:
        print(f"{build} names no source of this checkout", file=sys.stderr)
        return 1
    (together / "compile_commands.json").write_text(json.dumps(database))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return 0 if all(list(pool.map(lambda arguments: check(*arguments), work))) else 1


if __name__ == "__main__":
    sys.exit(main())
