"""Makes a Python environment of pinned packages, or says that it is there already:

    python3 environment.py FOLDER REQUIREMENTS... [-- PIP OPTION...]

A second one waits for the first. The environment is built beside FOLDER and takes its name when it
is complete, so that one that is killed leaves FOLDER as it was. "All there" is said where the
interpreter runs, every file has the size that its package tells, and the packages can be imported.
Needs Python's standard library alone.
"""

from __future__ import annotations

import csv
import fcntl
import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

CANNOT_HERE = 5
WRONG_USE = 64


class Failure(Exception):
    """What ends the program: a line for its user, and the exit code."""

    def __init__(self, message: str, code: int = CANNOT_HERE) -> None:
        super().__init__(message)
        self.code = code


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def pinned(requirements: list[Path]) -> dict[str, str]:
    """Package -> version, of lines "name==version"."""
    packages = {}
    for path in requirements:
        for line in path.read_text().splitlines():
            match = re.fullmatch(r"([\w.-]+)(?:\[[\w,.-]+\])?==([^\s;#]+)\s*(?:#.*)?", line.strip())
            if match:
                packages[match[1]] = match[2]
            elif line.strip() and not line.lstrip().startswith("#"):
                raise Failure(f"{path}: {line.strip()}: expected name==version", WRONG_USE)
    return packages


# What follows runs in the environment that is judged.


def wrong_version(name: str, version: str) -> str | None:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if version not in (found, found.partition("+")[0]):
        return f"{name} is {found}, expected {version}"
    return None


def damaged_file() -> str | None:
    """The first file that does not have the size that pip wrote down. Packages that share a folder
    may tell one file twice: either size will do."""
    sizes: dict[Path, set[int]] = defaultdict(set)
    for package in importlib.metadata.distributions():
        # Not package.files: from Python 3.12 on it leaves out what is missing.
        for file, _, size in csv.reader((package.read_text("RECORD") or "").splitlines()):
            # pip writes programs into bin/ with a path of this environment in them.
            if size and "bin" not in Path(file).parts[:-1]:
                sizes[Path(str(package.locate_file(file)))].add(int(size))
    for path, expected in sizes.items():
        try:
            if path.stat().st_size not in expected:
                return f"{path} is damaged"
        except OSError:
            return f"{path} is missing"
    return None


def failed_import(names: list[str]) -> str | None:
    modules = importlib.metadata.packages_distributions()
    wanted = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    for module, packages in modules.items():
        if not wanted & {re.sub(r"[-_.]+", "-", package).lower() for package in packages}:
            continue
        if not module.isidentifier():
            continue  # ".." of ../../../bin/program.py: Python 3.11 takes its folder for a module
        try:
            spec = importlib.util.find_spec(module)
            if spec is not None and spec.origin is not None:
                importlib.import_module(module)
        except Exception as error:
            return f"{module} cannot be imported: {error}"
    return None


def fault_here(packages: dict[str, str]) -> str | None:
    """What is wrong with the environment whose interpreter runs this, or None."""
    wrong = (wrong_version(name, version) for name, version in packages.items())
    return next(filter(None, wrong), None) or damaged_file() or failed_import(list(packages))


# And this in any Python.


def fault_of(folder: Path, requirements: list[Path]) -> str | None:
    """What is wrong with the environment in `folder`, or None."""
    python = folder / "bin" / "python"
    if not folder.is_dir():
        return "it is not there"
    # TensorFlow talks while it is imported.
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-I", "-B", __file__, "--judge", *requirements]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    except OSError as error:
        return f"its interpreter does not start: {error.strerror}"
    lines = (done.stdout if done.returncode == 1 else done.stderr).strip().splitlines()
    last = lines[-1] if lines else f"its interpreter ended with {done.returncode}"
    return None if done.returncode == 0 else last


def remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def move_paths(environment: Path, final: Path) -> None:
    """Programs in bin/ name the folder that they were made for."""
    for path in (environment / "bin").iterdir():
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            moved = content.replace(os.fsencode(environment), os.fsencode(final))
            if moved != content:
                path.write_bytes(moved)


def build(folder: Path, requirements: list[Path], pip_options: list[str], lock: int) -> None:
    beside = folder.with_name(folder.name + ".new")
    old = folder.with_name(folder.name + ".old")
    remove(beside)
    # A child holds the lock, too: where this is killed, pip goes on writing for a while.
    made = subprocess.run([sys.executable, "-m", "venv", beside], pass_fds=[lock], check=False)
    if made.returncode != 0:
        raise Failure(f"cannot make {beside} (the reason stands above). Is python3-venv installed?")
    pip = [beside / "bin" / "python", "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", *pip_options]
    pip += [f"--requirement={path}" for path in requirements]
    if subprocess.run(pip, pass_fds=[lock], check=False).returncode != 0:
        raise Failure(
            f"pip could not install {', '.join(map(str, requirements))} "
            "(its reason stands above). Is there a network?"
        )
    if fault := fault_of(beside, requirements):
        raise Failure(f"what pip installed does not work: {fault}")
    move_paths(beside, folder)
    (beside / "installed.txt").write_text("".join(path.read_text() for path in requirements))
    remove(old)
    if folder.exists() or folder.is_symlink():
        folder.rename(old)
    beside.rename(folder)
    remove(old)


def make(folder: Path, requirements: list[Path], pip_options: list[str]) -> None:
    pinned(requirements)  # a line that cannot be judged ends this before anything is built
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another set-up works on {folder}: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        fault = fault_of(folder, requirements)
        if fault is None:
            say(f"Python packages in {folder}: all there.")
            return
        if folder.exists() or folder.is_symlink():
            say(f"{folder} is made anew: {fault}")
        say(f"Installing into {folder}: {', '.join(map(str, requirements))}")
        build(folder, requirements, pip_options, lock.fileno())


def main(arguments: list[str]) -> int:
    own, separator, pip_options = arguments, "--" in arguments, []
    if separator:
        place = arguments.index("--")
        own, pip_options = arguments[:place], arguments[place + 1 :]
    if len(own) < 2:
        print(__doc__, file=sys.stderr)
        return WRONG_USE
    requirements = [Path(text) for text in own[1:]]
    try:
        if own[0] == "--judge":
            fault = fault_here(pinned(requirements))
            print(fault or "all there")
            return 1 if fault else 0
        make(Path(own[0]).absolute(), requirements, pip_options)
    except Failure as failure:
        print(f"voxmark: {failure}", file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"voxmark: {error}", file=sys.stderr)
        return CANNOT_HERE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
