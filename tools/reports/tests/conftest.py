"""Lets the tests import the package where it lies, and call its commands."""

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from voxmark_reports.program import main


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


Tool = Callable[..., Done]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line per row of a table, unless a test wants it narrower."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.fixture(scope="session")
def tool() -> Tool:
    """tool("compare", base, new): in this process, as loading the libraries takes seconds."""

    def run(*arguments: object) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Done(int(code), out.getvalue(), err.getvalue())

    return run
