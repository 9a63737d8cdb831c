"""Whether reports contradict themselves: voxmark validate knows (report_check.h). The
launcher says where it lies; where these tools run without it, nothing is asked."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence

from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.reading import Report
from voxmark_reports.streams import tell
from voxmark_reports.text import clean

_MOST_LINES = 4
_AT_ONCE = 200  # files: an argument list has an end


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept-contradictions",
        action="store_true",
        help="publishes what voxmark validate finds contradictions in, and says so",
    )


def check(reports: Sequence[Report], accept: bool) -> None:
    """For what publishes figures. Raises ToolError for a report that contradicts itself; one that
    is accepted says so on the page and on standard error."""
    warn(reports)
    for report in reports:
        if report.contradictions and not accept:
            raise ToolError(
                f"{report.name}: contradicts itself, so none of its figures is published;"
                " --accept-contradictions publishes them, with these lines"
            )


def warn(reports: Sequence[Report]) -> None:
    """For what compares figures, which may be made up to try something: says it, and goes on."""
    for report in reports:
        report.contradictions = _contradictions(report)
        for fault in report.contradictions[:_MOST_LINES]:
            tell(f"voxmark: warning: {fault}")
        if (more := len(report.contradictions) - _MOST_LINES) > 0:
            tell(
                f"voxmark: warning: {report.name}: {more} more contradictions; voxmark validate"
                " lists them"
            )


def _contradictions(report: Report) -> list[str]:
    program = os.environ.get("VOXMARK_PROGRAM")
    if not program or report.op_level:
        return []
    paths = [str(path) for path in report.paths]
    return [
        fault
        for begin in range(0, len(paths), _AT_ONCE)
        for fault in _faults(program, paths[begin : begin + _AT_ONCE])
    ]


def _faults(program: str, paths: Sequence[str]) -> list[str]:
    """Each begins with the file's name."""
    try:
        done = subprocess.run(
            [program, "validate", "--", *paths], capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise ToolError(f"{clean(program)}: {error.strerror}", ExitCode.INTERNAL) from error
    if done.returncode in (ExitCode.DONE, ExitCode.ANSWER_IS_NO):
        valid = tuple(f"{path}: valid, " for path in paths)
        return [clean(line) for line in done.stdout.splitlines() if not line.startswith(valid)]
    lines = done.stderr.strip().splitlines() or [f"validate ended with {done.returncode}"]
    code = ExitCode.BAD_INPUT if done.returncode == ExitCode.BAD_INPUT else ExitCode.INTERNAL
    raise ToolError(clean(lines[-1].removeprefix("voxmark: ")), code)
