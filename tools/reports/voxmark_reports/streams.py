"""Standard streams that may be closed, full, or without a reader."""

from __future__ import annotations

import os
import sys


def quiet(descriptor: int) -> None:
    """What is buffered still cannot be written: the interpreter would complain, and exit with a
    code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def quiet_stdout() -> None:
    quiet(1)


def tell(text: str) -> None:
    """On standard error, whether it can be written or not: the exit code holds all the same."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        quiet(2)
