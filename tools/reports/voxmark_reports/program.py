"""The tools' command line: a table of subcommands, and where errors become exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.streams import quiet_stdout, tell
from voxmark_reports.text import clean

SUBCOMMANDS = {
    "bundle": "packs reports, schema, page, figures and checksums into one archive, or checks one",
    "history": "keeps reports, shows where their figures changed, and gates the next one",
    "plan-gate": "checks planned bytes against committed limits",
    "report": "writes one page that says which backend is faster, how sure that is, and why",
    "compare": "compares reports: what became faster, slower or larger, and how sure that is",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ToolError(f"{message}; see {self.prog} --help")


def _run(arguments: Sequence[str]) -> ExitCode:
    name = arguments[0] if arguments else ""
    if name not in SUBCOMMANDS:
        raise ToolError(f"unknown subcommand {clean(name)}, expected {', '.join(SUBCOMMANDS)}")
    # Only this subcommand's libraries: some take a second to load.
    module = importlib.import_module(f"voxmark_reports.{name.replace('-', '_')}")
    parser = _Parser(
        prog=f"voxmark {name}",
        description=f"voxmark {name} {SUBCOMMANDS[name]}.",
        epilog=module.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return module.run(parser.parse_args(arguments[1:]))


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: a verdict's only where there is a verdict."""
    if sys.stderr is None:  # closed; print() would take standard output in its place
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stdout is None:
        tell("voxmark: standard output is closed")
        return ExitCode.INTERNAL
    code = _code_of(arguments)
    try:
        sys.stdout.flush()
    except OSError:  # the answer of which only a part was written; what failed has been said
        quiet_stdout()
    return code


def _code_of(arguments: Sequence[str]) -> int:
    try:
        try:
            code = _run(arguments)
        except SystemExit as done:  # --help
            code = ExitCode.DONE if not done.code else ExitCode.INTERNAL
        sys.stdout.flush()
        return code
    except ToolError as error:
        tell(f"voxmark: {clean(error)}")
        return error.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # nobody read the answer, so nobody got one
        quiet_stdout()
        return ExitCode.INTERNAL
    except ImportError as error:
        setup = os.environ.get("VOXMARK_SETUP", "ci/tools")
        tell(f"voxmark: {clean(error)}. Install with: {clean(setup)}")
        return ExitCode.CANNOT_HERE
    except OSError as error:
        tell(f"voxmark: {clean(error)}")
        quiet_stdout()
        return ExitCode.INTERNAL
    except Exception as error:
        tell(traceback.format_exc())
        tell(f"voxmark: a fault of voxmark's own: {clean(error)}")
        return ExitCode.INTERNAL
