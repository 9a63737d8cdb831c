"""Lets the tests import the package where it lies, and run it as users do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(FOLDER))

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tool() -> Tool:
    """tool("compare", base, new): a process of its own, with its exit code and streams."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", FOLDER / "launch.py", *arguments]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    return run
